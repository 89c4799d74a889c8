"""The auditor: targets, probes, facts, rules, findings, ledger, report, notify. It knows nothing of the archive."""
