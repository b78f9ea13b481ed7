"""The syntax of the other face is an error to a type checker, though the classes explain it.

With strict checking an ignored line that is no error is one itself.
"""

import convostore


async def of_the_other_face() -> None:
    async with convostore.open("memory://"):  # type: ignore[attr-defined]
        pass
    with convostore.aopen("memory://"):  # type: ignore[attr-defined]
        pass
    await convostore.aopen("memory://")  # type: ignore[misc]
    list(convostore.aopen("memory://").conversations())  # type: ignore[call-overload]
    list(convostore.aopen("memory://").messages("c"))  # type: ignore[call-overload]
