"""Who may: a policy for callers, rules of enrolment, the archive's own small CA, limits."""
