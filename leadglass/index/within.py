"""A reach as SQL. Unlike the filters of a plan these conditions are exact: nothing looks at a row again afterwards.

What names few studies (UIDs, patients, referring physicians) is gathered first, so that a search over millions can
begin there; an institution may have sent half the archive, so it is asked of each study.
"""

from __future__ import annotations

import json
from typing import Any, Final

from leadglass.core.reach import Reach
from leadglass.index.catalog_schema import SERIES_SHIFT
from leadglass.index.text import storable

# Every text is a constant of this module with places for values.
_STUDIES: Final = "SELECT id FROM studies WHERE study_uid IN (SELECT value FROM json_each(:reach_studies))"
_PATIENTS: Final = """SELECT z.id FROM json_each(:reach_patients) j CROSS JOIN patients q
    ON q.patient_id = json_extract(j.value, '$[1]')
    AND (json_extract(j.value, '$[0]') = '' OR q.issuer = json_extract(j.value, '$[0]'))
    CROSS JOIN studies z ON z.patient = q.id"""
_REFERRING: Final = "SELECT study FROM study_referrers WHERE name IN (SELECT value FROM json_each(:reach_referring))"
_ONLY: Final = "SELECT value FROM json_each(:reach_only)"
_INSTITUTIONS: Final = "SELECT value FROM json_each(:reach_institutions)"
_INSTANCES: Final = "SELECT value FROM json_each(:reach_instances)"


class Within:
    """Conditions on rows of `studies`, `series` and `instances`, and the parameters that belong to them.

    Where the reach is limited to instances (`limited`), a study or series is within it if it shows one of them.
    """

    def __init__(self, reach: Reach) -> None:
        self.everything = reach.everything
        self.parameters: dict[str, Any] = {}
        self._few: list[str] = []
        self._institutions = False
        self._only = reach.only is not None
        self.limited = reach.instances is not None
        if reach.instances is not None:
            self.parameters["reach_instances"] = json.dumps(_texts(reach.instances))
        if reach.only is not None:
            self.parameters["reach_only"] = json.dumps(_texts(reach.only))
        if reach.everything:
            return
        patients = sorted((storable(issuer), storable(text)) for issuer, text in reach.patients if text)
        self._gather("reach_studies", _STUDIES, _texts(reach.studies))
        self._gather("reach_patients", _PATIENTS, patients)
        self._gather("reach_referring", _REFERRING, _texts(reach.referring))
        institutions = _texts(reach.institutions)
        if institutions:
            self._institutions = True
            self.parameters["reach_institutions"] = json.dumps(institutions)

    def _gather(self, name: str, sql: str, values: list[Any]) -> None:
        if values:
            self._few.append(sql)
            self.parameters[name] = json.dumps(values)

    def study(self, alias: str) -> str:
        """True of a row `alias` of studies that is within reach."""
        if not self.limited:
            return self._named(alias)
        shown = f"v.study = {alias}.id AND {self.series('v')}"
        return f"({self._named(alias)} AND EXISTS (SELECT 1 FROM series v WHERE {shown}))"  # noqa: S608 - constants

    def series(self, alias: str) -> str:
        """True of a row `alias` of series that is within reach, if its study is."""
        if not self.limited:
            return "1"
        one = (
            f"u.id >= ({alias}.id << {SERIES_SHIFT}) AND u.id < (({alias}.id + 1) << {SERIES_SHIFT}) "
            f"AND u.served = 1 AND {self.instance('u')}"
        )
        return f"EXISTS (SELECT 1 FROM instances u WHERE {one})"  # noqa: S608 - constants

    def instance(self, alias: str) -> str:
        """True of a row `alias` of instances that is within reach, if its study is."""
        return f"{alias}.uid IN ({_INSTANCES})" if self.limited else "1"

    def of_study(self, study: str, instance: str) -> str:
        """True of a row `study` of studies and a row `instance` of its instances if the instance is within reach."""
        return f"{self._named(study)} AND {self.instance(instance)}"

    def _named(self, alias: str) -> str:
        """True of a row `alias` of studies that something names, instances aside."""
        if self.everything:
            return "1"
        conditions = []
        if self._few:
            conditions.append(f"{alias}.id IN ({' UNION ALL '.join(self._few)})")
        if self._institutions:
            sent = f"g.study = {alias}.id AND g.institution IN ({_INSTITUTIONS})"
            conditions.append(f"EXISTS (SELECT 1 FROM study_institutions g WHERE {sent})")  # noqa: S608 - constants
        within = f"({' OR '.join(conditions)})" if conditions else "0"
        return f"({within} AND {alias}.study_uid IN ({_ONLY}))" if self._only else within

    def whole_study(self, alias: str) -> str:
        """True of a row `alias` of studies if every row of its Study Instance UID is within reach."""
        if self.limited:
            return "0"
        if self.everything:
            return "1"
        outside = f"o.study_uid = {alias}.study_uid AND NOT {self.study('o')}"
        return f"NOT EXISTS (SELECT 1 FROM studies o WHERE {outside})"  # noqa: S608 - constants

    def patient(self, alias: str) -> str:
        """True of a row `alias` of patients who have a study within reach that is shown."""
        if self.everything:
            return "1"
        shown = f"w.patient = {alias}.id AND w.visible AND NOT w.trashed AND {self.study('w')}"
        begin = ""
        if self._few and not self._institutions:
            few = f"SELECT f.patient FROM studies f WHERE {self.study('f')}"  # noqa: S608 - constants
            begin = f"{alias}.id IN ({few}) AND "
        return f"({begin}EXISTS (SELECT 1 FROM studies w WHERE {shown}))"  # noqa: S608 - constants


def _texts(values: frozenset[str]) -> list[str]:
    return sorted(storable(text) for text in values if text)
