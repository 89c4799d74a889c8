"""Device <-> plain JSON values: the one form in which state, `--json` output and tests keep a device.

Every field is written, so that a default changed later does not change devices that exist. A missing key takes the
field's default (an older archive), an unknown one is refused: dropping a restriction unread would widen a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from leadglass.core.device import CertificateBinding, Device, DeviceCertificate, DuplicatePolicy, Endpoint
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right

_TEXT_FIELDS = ("name", "issuer", "institution", "character_set", "passcode_hash")
_LIST_FIELDS = ("ae_titles", "networks", "destinations", "transfer_syntaxes", "private_sop_classes")
_WHOLE_FIELDS = ("query_limit", "max_associations")
_FLAG_FIELDS = ("plain", "enabled", "sample")
_REQUIRED = frozenset({"name", "ae_titles", "networks", "rights"})
_BINDINGS = {binding.value: binding for binding in CertificateBinding}
_POLICIES = {policy.value: policy for policy in DuplicatePolicy}
_RIGHTS = {right.value: right for right in Right}


def device_to_dict(device: Device) -> dict[str, Any]:
    """`device` as values that `json.dumps` takes: text, whole numbers, floats, booleans, lists, dicts, None."""
    plain: dict[str, Any] = {
        name: getattr(device, name) for name in (*_TEXT_FIELDS, *_WHOLE_FIELDS, *_FLAG_FIELDS, "idle_timeout")
    }
    plain |= {name: list(getattr(device, name)) for name in _LIST_FIELDS}
    plain["rights"] = sorted(right.value for right in device.rights)
    plain["duplicates"] = device.duplicates.value
    plain["certificates"] = [
        {
            "binding": certificate.binding.value,
            "value": certificate.value,
            "authority": certificate.authority,
            "not_after": certificate.not_after,
        }
        for certificate in device.certificates
    ]
    listens = device.listens
    plain["listens"] = listens and {
        "host": listens.host,
        "port": listens.port,
        "ae_title": listens.ae_title,
        "tls": listens.tls,
    }
    return plain


def device_from_dict(plain: Mapping[str, Any]) -> Device:
    """The device that `device_to_dict` wrote. Raises LeadglassError(DAMAGED) on anything that is not one."""
    _require(_REQUIRED <= plain.keys() <= _READERS.keys(), "its fields")
    return Device(**{name: _READERS[name](value, name) for name, value in plain.items()})


def _certificates(value: Any, field: str) -> tuple[DeviceCertificate, ...]:
    return tuple(_certificate(item) for item in _list(value, field))


def _certificate(value: Any) -> DeviceCertificate:
    plain = _mapping(value, {"binding", "value"}, {"authority", "not_after"}, "certificates")
    return DeviceCertificate(
        binding=_named(_BINDINGS, [plain["binding"]], "certificates")[0],
        value=_text(plain["value"], "certificates"),
        authority=_text(plain.get("authority", ""), "certificates"),
        not_after=_text(plain.get("not_after", ""), "certificates"),
    )


def _endpoint(value: Any, field: str) -> Endpoint | None:
    if value is None:
        return None
    plain = _mapping(value, {"host", "port", "ae_title", "tls"}, set(), field)
    return Endpoint(
        host=_text(plain["host"], field),
        port=_whole(plain["port"], field),
        ae_title=_text(plain["ae_title"], field),
        tls=_flag(plain["tls"], field),
    )


def _named(names: Mapping[str, Any], values: Iterable[Any], field: str) -> list[Any]:
    found = [names.get(value) if isinstance(value, str) else None for value in values]
    _require(None not in found, field)
    return found


def _mapping(value: Any, needed: set[str], possible: set[str], field: str) -> Mapping[str, Any]:
    _require(isinstance(value, Mapping) and needed <= value.keys() <= needed | possible, field)
    plain: Mapping[str, Any] = value
    return plain


def _list(value: Any, field: str) -> list[Any]:
    _require(isinstance(value, list | tuple), field)
    return list(value)


def _text(value: Any, field: str) -> str:
    _require(isinstance(value, str), field)
    return str(value)


def _whole(value: Any, field: str) -> int:
    _require(isinstance(value, int) and not isinstance(value, bool), field)
    return int(value)


def _texts(value: Any, field: str) -> tuple[str, ...]:
    return tuple(_text(item, field) for item in _list(value, field))


def _flag(value: Any, field: str) -> bool:
    _require(isinstance(value, bool), field)
    return bool(value)


def _seconds(value: Any, field: str) -> float:
    _require(isinstance(value, int | float) and not isinstance(value, bool), field)
    return float(value)


def _rights(value: Any, field: str) -> frozenset[Right]:
    return frozenset(_named(_RIGHTS, _list(value, field), field))


def _policy(value: Any, field: str) -> DuplicatePolicy:
    policy: DuplicatePolicy = _named(_POLICIES, [value], field)[0]
    return policy


def _require(holds: bool, field: str) -> None:
    if not holds:
        raise LeadglassError(ErrorCode.DAMAGED, f"a stored device cannot be read: {field} is not as it should be")


_READERS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(_TEXT_FIELDS, _text),
    **dict.fromkeys(_LIST_FIELDS, _texts),
    **dict.fromkeys(_WHOLE_FIELDS, _whole),
    **dict.fromkeys(_FLAG_FIELDS, _flag),
    "idle_timeout": _seconds,
    "rights": _rights,
    "duplicates": _policy,
    "certificates": _certificates,
    "listens": _endpoint,
}
