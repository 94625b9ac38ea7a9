"""Time, passes and memory to a stated accuracy of one objective, for softreg and its peers.

``python -m benchmarks --help`` lists the commands; README.md says what is measured and how.
"""
