"""The dashboard: a page on this machine that shows a folder of runs and keeps up with running ones.

Reading order: store (what is on disk), selection (what is shown, and its link), figures and tables (how it is drawn),
layout (the controls), app (the callbacks and the server), access (who is served, and what).
"""
