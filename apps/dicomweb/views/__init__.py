"""The DICOMweb door: requests in, services and querysets called, answers out."""
