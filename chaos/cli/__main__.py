"""`python -m chaos.cli`: the command, where no script of that name is on the PATH."""

from chaos.cli import main

main()
