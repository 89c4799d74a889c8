"""The web door: DICOMweb (PS3.18), for programs and viewers. Speaks to services, never to storage."""
