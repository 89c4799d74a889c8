"""Paper: a cover page full of personal data as a picture, and a referral letter as a PDF. All of it invented."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from leadglass.app.samples.blank import HOSPITAL, Study
from leadglass.app.samples.identifiers import random_for
from leadglass.app.samples.lettering import write

PAGE_WIDTH, PAGE_HEIGHT = 850, 1100
_INK, _BLUE = (25, 25, 35), (40, 70, 130)


def _date(value: str) -> str:
    return f"{value[6:]}.{value[4:6]}.{value[:4]}"


def _personal_data(study: Study) -> tuple[tuple[str, str], ...]:
    patient = study.patient
    return (
        ("Name", patient.latin_name),
        ("Born", f"{_date(patient.birth_date)}   Sex {patient.sex}"),
        ("Patient number", patient.patient_id),
        ("Address", "Nowhere Street 0, 00000 Exampletown"),
        ("Telephone", "+00 000 555 0100 (no such line)"),
        ("E-mail", "somebody@patient.example"),
        ("Insurance", "Imaginary Health Fund   No. 0000-EXAMPLE-0000"),
        ("Next of kin", "INVENTED RELATIVE, +00 000 555 0199"),
        ("Referred by", "Dr. Wholly Madeup, Practice That Is Not"),
        ("Examination", study.description),
        ("Order / date", f"{study.accession}   {_date(study.date)} {study.time[:2]}:{study.time[2:4]}"),
    )


def cover_page(study: Study) -> NDArray[np.uint8]:
    """A scanned form, RGB, (PAGE_HEIGHT, PAGE_WIDTH, 3)."""
    page = Image.new("RGB", (PAGE_WIDTH, PAGE_HEIGHT), (250, 249, 244))
    draw = ImageDraw.Draw(page)
    draw.rectangle((40, 40, 810, 130), fill=_BLUE)
    write(draw, (60, 54), HOSPITAL, 34, (255, 255, 255))
    write(draw, (60, 98), "Radiology   -   Examination cover sheet", 20, (225, 232, 245))
    for row, (label, value) in enumerate(_personal_data(study)):
        top = 160 + 46 * row
        draw.rectangle((40, top, 810, top + 46), outline=(150, 155, 165))
        draw.line((220, top, 220, top + 46), fill=(150, 155, 165))
        write(draw, (52, top + 13), label, 18, _BLUE)
        write(draw, (234, top + 12), value, 20, _INK)
    _bar_code(draw, study, (470, 690))
    write(draw, (52, 690), "Clinical question", 20, _BLUE)
    for line, text in enumerate(
        ("Sample sheet, made by a program.", "There is no patient and no", "question to be answered.")
    ):
        write(draw, (52, 724 + 30 * line), text, 20, _INK)
    write(draw, (52, 850), "Consent", 20, _BLUE)
    write(draw, (52, 884), "[x] explained   [x] signed   [ ] refused", 20, _INK)
    _signature(draw, study)
    write(draw, (52, 1050), "Page 1 of 1     EXAMPLE - NOT A MEDICAL DOCUMENT", 16, (120, 60, 60))
    scan = np.asarray(page).astype(np.int16)
    scan += random_for(study.key, "scanner").integers(-4, 5, (PAGE_HEIGHT, PAGE_WIDTH, 1), np.int16)
    return np.clip(scan, 0, 255).astype(np.uint8)


def _bar_code(draw: ImageDraw.ImageDraw, study: Study, corner: tuple[int, int]) -> None:
    random = random_for(study.key, "bars")
    x = corner[0]
    while x < corner[0] + 300:
        width = int(random.integers(2, 6))
        draw.rectangle((x, corner[1], x + width - 1, corner[1] + 80), fill=_INK)
        x += width + int(random.integers(2, 6))
    write(draw, (corner[0] + 90, corner[1] + 88), study.accession, 18, _INK)


def _signature(draw: ImageDraw.ImageDraw, study: Study) -> None:
    steps = np.linspace(0, 1, 90)
    wobble = random_for(study.key, "signature").uniform(0.6, 1.6, 3)
    x = 480 + 260 * steps + 16 * np.sin(steps * 31 * wobble[0])
    y = 958 + 22 * np.sin(steps * 43 * wobble[1]) * (1 - steps * 0.6) + 8 * np.cos(steps * 17 * wobble[2])
    draw.line([(float(a), float(b)) for a, b in zip(x, y, strict=True)], fill=(30, 40, 120), width=3, joint="curve")
    draw.line((460, 1000, 780, 1000), fill=(120, 120, 120))
    write(draw, (460, 1006), "Signature", 15, (120, 120, 120))


def letter_pdf(study: Study) -> bytes:
    """A one page PDF 1.4 with its cross reference table, of even length."""
    lines = (
        (HOSPITAL, 20),
        ("Referral letter (example, not a medical document)", 12),
        ("", 12),
        *((f"{label}: {value}", 12) for label, value in _personal_data(study)),
        ("", 12),
        ("Dear colleague,", 12),
        ("thank you for looking at a study that a program made of a person who does not exist.", 12),
        ("Kind regards, Dr. Wholly Madeup", 12),
    )
    moves = "\n".join(f"/F1 {size} Tf ({_escaped(text)}) Tj 0 -{size + 10} Td" for text, size in lines)
    content = f"BT 60 770 Td\n{moves}\nET".encode("cp1252")
    return _pdf(
        (
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
            b" /Resources << /Font << /F1 5 0 R >> >> >>",
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        )
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _pdf(objects: tuple[bytes, ...]) -> bytes:
    body = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    body += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    start = body.rindex(b"xref\n0 ")
    body += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return body + b"\n" * (len(body) % 2)
