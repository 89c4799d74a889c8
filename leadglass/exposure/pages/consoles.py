"""Administration consoles by their page, or by the name under which they ask for a password (W10)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from leadglass.exposure.http_answer import HttpAnswer

PATHS = ("/console/", "/jmx-console/", "/manager/html", "/admin/master/console/", "/auth/admin/", "/dcm4chee-web3/")

_PAGES: Mapping[str, re.Pattern[bytes]] = {
    "wildfly": re.compile(
        rb"HAL Management Console|<title>\s*(?:WildFly|JBoss)(?! JMX)[^<]{0,60}(?:Console|Management)", re.I
    ),
    "jboss-jmx": re.compile(rb"JBoss JMX Management Console|<title>\s*JMX Console", re.I),
    "keycloak": re.compile(rb"<title>\s*Keycloak Admin", re.I),
    "tomcat-manager": re.compile(rb"<title>\s*/manager\s*</title>|Tomcat Web Application Manager", re.I),
    "dcm4chee-web": re.compile(rb"<title>\s*DCM4CHEE[^<]{0,40}(?:Login|Web)", re.I),
}
_REALMS: Mapping[str, re.Pattern[str]] = {
    "tomcat-manager": re.compile(r'realm="Tomcat Manager Application"', re.I),
    "jboss-jmx": re.compile(r'realm="JBoss JMX Console"', re.I),
    "wildfly": re.compile(r'realm="ManagementRealm"', re.I),
}


def consoles(page: HttpAnswer) -> tuple[str, ...]:
    """Names of the consoles that this page is one of. To be asked for a password there is to be shown it."""
    if page.refused:
        asked = page.headers.get("www-authenticate", "")
        return tuple(name for name, realm in _REALMS.items() if realm.search(asked))
    return tuple(name for name, mark in _PAGES.items() if mark.search(page.body)) if page.ok else ()
