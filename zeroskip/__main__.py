"""`python -m zeroskip`: the same as the command `zeroskip`."""

from zeroskip.commands import main

main()
