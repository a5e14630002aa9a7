// MatchSpecText.swift: terms in the messages about match specifications, written as the emulator writes terms. The
// messages are cut after 99 bytes, so a term of few parts is enough.

import CMachine
import Terms

func matchText(_ term: Term) -> String { printed(term, limit: 200) }
