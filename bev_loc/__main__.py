"""`python -m bev_loc` is the command line."""

from .cli.main import main

raise SystemExit(main())
