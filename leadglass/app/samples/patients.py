"""The sample patients. Every name says in its own language that it is an example; nobody is called so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patient:
    """Who a sample study is of. `name` is a PN value, `character_set` the value of (0008,0005)."""

    key: str
    patient_id: str
    name: str
    latin_name: str  # what a device without that script would burn into the picture
    birth_date: str
    sex: str
    character_set: str | tuple[str, ...]
    physician: str


_EXAMPLES: tuple[tuple[str, str, str, str, str, str | tuple[str, ...], str], ...] = (
    ("it", "Fantasìa^Nicolò", "FANTASIA NICOLO", "19510403", "M", "ISO_IR 100", "D'Esempio^Libertà"),
    ("de", "Müßterfräu^Jördis^^Dr.", "MUESSTERFRAEU JOERDIS", "19680921", "F", "ISO_IR 100", "Beispielhöfer^Götz"),
    ("el", "Παραδειγματίδης^Φανταστικός", "PARADEIGMATIDIS", "19440118", "M", "ISO_IR 126", "Δοκιμαστάκη^Ιδέα"),
    ("ru", "Примерова^Выдумка^Образцовна", "PRIMEROVA VYDUMKA", "19790630", "F", "ISO_IR 144", "Условнов^Тест"),
    (
        "ja",
        "Mihon^Kakuu=見本^架空=みほん^かくう",
        "MIHON KAKUU",
        "19360512",
        "M",
        ("", "ISO 2022 IR 87"),
        "Reidai^Tameshi=例題^試=れいだい^ためし",
    ),
    ("ar", "مثال^خيالية", "MITHAL KHAYALIYA", "19850214", "F", "ISO_IR 127", "تجربة^نموذج"),
    ("th", "ตัวอย่าง^สมมติ", "TUAYANG SOMMUT", "19721105", "M", "ISO_IR 166", "จำลอง^ทดลอง"),
    ("pl", "Przykładówna^Zmyślisława", "PRZYKLADOWNA", "19910827", "F", "ISO_IR 192", "Fikcyjński^Próbosław"),
    ("zh", "Yangben^Xugou=样本^虚构", "YANGBEN XUGOU", "19580301", "M", "GB18030", "Shili^Ceshi=示例^测试"),
    (
        "ko",
        "Bonbogi^Gasang=例題^假想=본보기^가상",
        "BONBOGI GASANG",
        "19830719",
        "F",
        ("", "ISO 2022 IR 149"),
        "Yeje^Siheom=例題^試驗=예제^시험",
    ),
    ("en", "Notreal^Figment^Ann", "NOTREAL FIGMENT ANN", "19640209", "F", "", "Madeup^Wholly^^Dr"),
    ("tr", "Örnekoğlu^Düşsel", "ORNEKOGLU DUSSEL", "20190522", "M", "ISO_IR 148", "Sınamaçı^Kurgu"),
    ("he", "דוגמאי^בדיוני", "DUGMAI BIDYONI", "19550616", "M", "ISO_IR 138", "ניסיוני^מופת"),
    ("pt", "Exemplão^Fictícia=例^空想", "EXEMPLAO FICTICIA", "19470811", "F", "ISO_IR 192", "Invenção^Zé"),
)

PATIENTS = {
    key: Patient(key, f"LG-{number:04d}", name, latin, birth, sex, character_set, physician)
    for number, (key, name, latin, birth, sex, character_set, physician) in enumerate(_EXAMPLES, 1)
}
