"""``python -m convostore`` is the command `convostore`."""

from .cli import main

if __name__ == "__main__":
    main()
