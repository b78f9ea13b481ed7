"""Words that searches are tried with: of several scripts, of programs, and of query languages."""

from __future__ import annotations

WORDS = [
    *("hello", "Hello", "HELLO", "wörld", "world", "Ωμέγα", "ωμεγα", "Ёлка", "straße", "STRASSE"),
    *("夏", "夏威夷", "夏威夷大学", "威夷", "カタカナ", "ｶﾀｶﾅ", "がか", "한국어", "สวัสดี"),
    *("getUserName", "get_user_name", "user", "HTTPServer", "x86", "utf-8", "C++", "3.14"),
    *("AND", "OR", "NOT", "NEAR(", '"', '""', "*", "text:", "^a", "-b", "'", "%", "_", "\\"),
    *(
        "\x00",
        "\ud800",
        "\ud83c\udfc4",
        "\U0001f3c4",
        "e\u0301",
        "\u2028",
        "",
        "--",
        "[1]",
        "{",
        "a" * 300,
    ),
]
