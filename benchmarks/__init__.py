"""openpacs beside Orthanc, in one run: `make bench`, or `python -m benchmarks.store`.

Cells are interleaved, the order swapped each round; a figure is the median of the per-round
ratios, above 1 where openpacs is ahead. QUICK=1 does less of everything.
"""
