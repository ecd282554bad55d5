"""What people see of DICOM objects: pictures, films, reports (PS3.18 8.3.5, PS3.3 C.11).

To be called in a process of a workshop (apps/dicom/workshop.py), never in one that must live.
"""
