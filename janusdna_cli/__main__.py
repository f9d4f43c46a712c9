"""`python -m janusdna_cli` is `janusdna`."""

from janusdna_cli.app import main

if __name__ == "__main__":
    main()
