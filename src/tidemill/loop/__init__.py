"""What happens, one folder a stage, in the field's words.

log → curation → triggers → datasets → training → offline → online → log again.
"""
