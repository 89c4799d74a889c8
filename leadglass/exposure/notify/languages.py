"""The words of a notice in four languages. Fields in braces are filled by `message`; each language has them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences of one language."""

    subject: str
    opening: str
    why: str
    service: str  # {number} {label} {product} {what}
    exposed: str  # {patients} {studies} {images} {least}
    exposed_unknown: str
    at_least: str
    close: str  # {remedy}; the settings themselves are technical English
    seen: str  # {moment}
    nothing_taken: str
    law_eu: str  # {patients} {studies}
    law_us: str
    next: str
    closing: str  # {who} {contact}
    unknown_number: str
    findings: Mapping[str, str]


_EN = Words(
    subject="Medical image server open to everybody: {organisation}",
    opening="To whom it may concern at {organisation},",
    why="an audit found that a server of yours which holds medical images answers everybody who can reach it, "
    "without "
    "a password. We write so that you can close it.",
    service="{number}. {label} {product}: {what}",
    exposed="   Exposed: {least}{studies} studies with {images} images; distinct patients: {patients}.",
    exposed_unknown="   How much is exposed could not be counted.",
    at_least="at least ",
    close="   To close it: {remedy}",
    seen="   Seen: {moment} UTC, from outside, as a stranger.",
    nothing_taken="Nothing was taken: only numbers were counted, no image was asked for, and no name or other "
    "value of a "
    "patient was kept. This message holds none.",
    law_eu="If the GDPR applies to you: a breach of personal data is to be notified to the supervisory "
    "authority within "
    "72 hours of your knowing of it (art. 33). Categories: health data, identification data. Approximate number of "
    "persons: {patients}; of records: {studies} studies.",
    law_us="If HIPAA applies to you: individuals are to be notified within 60 days (45 CFR 164.404); where 500 "
    "or more are "
    "affected, the Secretary of HHS at the same time (164.408) and, above 500 residents of a state, the media "
    "(164.406).",
    next="The audit will come back and see whether it is closed; please answer if you need time or help.",
    closing="{who}\n{contact}",
    unknown_number="not known",
    findings=MappingProxyType(
        {
            "read": "anybody can list and read its studies",
            "write": "anybody can probably store objects",
            "worklist": "anybody can read the list of today's patients",
            "files": "anybody can take files from a directory",
            "other": "anybody can connect",
        }
    ),
)
_DE = Words(
    subject="Server mit medizinischen Bildern offen für jedermann: {organisation}",
    opening="An die Verantwortlichen bei {organisation},",
    why="eine Prüfung hat ergeben, dass ein Server von Ihnen, der medizinische Bilder enthält, jedem antwortet, "
    "der ihn "
    "erreicht, ohne Passwort. Wir schreiben Ihnen, damit Sie ihn schließen können.",
    service="{number}. {label} {product}: {what}",
    exposed="   Einsehbar: {least}{studies} Studien mit {images} Bildern; verschiedene Patienten: {patients}.",
    exposed_unknown="   Wie viel einsehbar ist, ließ sich nicht zählen.",
    at_least="mindestens ",
    close="   So schließen Sie ihn (Einstellungen im Original): {remedy}",
    seen="   Gesehen: {moment} UTC, von außen, wie ein Fremder.",
    nothing_taken="Es wurde nichts entnommen: Nur Anzahlen wurden gezählt, kein Bild wurde abgerufen, kein Name "
    "und kein "
    "anderer Wert eines Patienten aufbewahrt. Auch diese Nachricht enthält keinen.",
    law_eu="Falls die DSGVO für Sie gilt: Eine Verletzung des Schutzes personenbezogener Daten ist der "
    "Aufsichtsbehörde "
    "binnen 72 Stunden nach Bekanntwerden zu melden (Art. 33). Kategorien: Gesundheitsdaten, Identifikationsdaten. "
    "Ungefähre Zahl der Personen: {patients}; der Datensätze: {studies} Studien.",
    law_us="Falls HIPAA für Sie gilt: Betroffene sind binnen 60 Tagen zu benachrichtigen (45 CFR 164.404); ab 500 "
    "Betroffenen zugleich das HHS (164.408) und bei mehr als 500 in einem Staat die Medien (164.406).",
    next="Die Prüfung wird wiederkommen und nachsehen, ob er geschlossen ist; bitte antworten Sie, wenn Sie "
    "Zeit oder "
    "Hilfe brauchen.",
    closing="{who}\n{contact}",
    unknown_number="nicht bekannt",
    findings=MappingProxyType(
        {
            "read": "jeder kann die Studien auflisten und lesen",
            "write": "jeder kann vermutlich Objekte speichern",
            "worklist": "jeder kann die Liste der heutigen Patienten lesen",
            "files": "jeder kann Dateien aus einem Verzeichnis holen",
            "other": "jeder kann sich verbinden",
        }
    ),
)
_IT = Words(
    subject="Server di immagini mediche aperto a chiunque: {organisation}",
    opening="Ai responsabili di {organisation},",
    why="una verifica ha rilevato che un vostro server che contiene immagini mediche risponde a chiunque lo "
    "raggiunga, "
    "senza password. Vi scriviamo perché possiate chiuderlo.",
    service="{number}. {label} {product}: {what}",
    exposed="   Esposti: {least}{studies} studi con {images} immagini; pazienti distinti: {patients}.",
    exposed_unknown="   Non è stato possibile contare quanto è esposto.",
    at_least="almeno ",
    close="   Per chiuderlo (impostazioni in originale): {remedy}",
    seen="   Visto: {moment} UTC, dall'esterno, come un estraneo.",
    nothing_taken="Non è stato prelevato nulla: sono stati contati solo numeri, nessuna immagine è stata "
    "richiesta e nessun "
    "nome o altro dato di un paziente è stato conservato. Questo messaggio non ne contiene.",
    law_eu="Se vi si applica il GDPR: una violazione dei dati personali va notificata all'autorità di controllo "
    "entro 72 "
    "ore da quando ne siete a conoscenza (art. 33). Categorie: dati sulla salute, dati identificativi. Numero "
    "approssimativo di persone: {patients}; di registrazioni: {studies} studi.",
    law_us="Se vi si applica HIPAA: gli interessati vanno avvisati entro 60 giorni (45 CFR 164.404); da 500 in "
    "su anche "
    "l'HHS nello stesso termine (164.408) e, oltre 500 residenti in uno stato, i media (164.406).",
    next="La verifica tornerà a controllare se è chiuso; rispondete, per favore, se vi servono tempo o aiuto.",
    closing="{who}\n{contact}",
    unknown_number="non noto",
    findings=MappingProxyType(
        {
            "read": "chiunque può elencare e leggere gli studi",
            "write": "chiunque può probabilmente memorizzare oggetti",
            "worklist": "chiunque può leggere l'elenco dei pazienti di oggi",
            "files": "chiunque può prelevare file da una cartella",
            "other": "chiunque può collegarsi",
        }
    ),
)
_ES = Words(
    subject="Servidor de imágenes médicas abierto a cualquiera: {organisation}",
    opening="A los responsables de {organisation}:",
    why="una auditoría ha encontrado que un servidor suyo que contiene imágenes médicas responde a cualquiera "
    "que llegue "
    "a él, sin contraseña. Les escribimos para que puedan cerrarlo.",
    service="{number}. {label} {product}: {what}",
    exposed="   Expuesto: {least}{studies} estudios con {images} imágenes; pacientes distintos: {patients}.",
    exposed_unknown="   No se pudo contar cuánto está expuesto.",
    at_least="al menos ",
    close="   Para cerrarlo (ajustes en el original): {remedy}",
    seen="   Visto: {moment} UTC, desde fuera, como un extraño.",
    nothing_taken="No se tomó nada: solo se contaron números, no se pidió ninguna imagen y no se guardó ningún "
    "nombre ni "
    "otro dato de un paciente. Este mensaje no contiene ninguno.",
    law_eu="Si se les aplica el RGPD: una violación de la seguridad de los datos personales debe notificarse a "
    "la autoridad "
    "de control en 72 horas desde que se conoce (art. 33). Categorías: datos de salud, datos identificativos. Número "
    "aproximado de personas: {patients}; de registros: {studies} estudios.",
    law_us="Si se les aplica HIPAA: debe avisarse a los afectados en 60 días (45 CFR 164.404); desde 500, "
    "también al HHS en "
    "ese plazo (164.408) y, por encima de 500 residentes de un estado, a los medios (164.406).",
    next="La auditoría volverá para ver si está cerrado; respondan, por favor, si necesitan tiempo o ayuda.",
    closing="{who}\n{contact}",
    unknown_number="no se conoce",
    findings=MappingProxyType(
        {
            "read": "cualquiera puede listar y leer los estudios",
            "write": "cualquiera puede probablemente guardar objetos",
            "worklist": "cualquiera puede leer la lista de pacientes de hoy",
            "files": "cualquiera puede llevarse archivos de una carpeta",
            "other": "cualquiera puede conectarse",
        }
    ),
)

LANGUAGES: Mapping[str, Words] = MappingProxyType({"en": _EN, "de": _DE, "it": _IT, "es": _ES})
_SPANISH = "ES MX AR CL CO PE EC UY PY BO VE CR PA GT HN SV NI DO CU"
_BY_COUNTRY = {
    "DE": "de",
    "AT": "de",
    "CH": "de",
    "LI": "de",
    "IT": "it",
    "SM": "it",
    **dict.fromkeys(_SPANISH.split(), "es"),
}


def language_of(country: str) -> str:
    """The language for an owner of this country: its own if it is one of the four, else English."""
    return _BY_COUNTRY.get(country.upper(), "en")
