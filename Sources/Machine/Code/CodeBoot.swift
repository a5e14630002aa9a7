// CodeBoot.swift: makes the code tables, and tells Terms how to find exports and fun entries.

import CMachine
import Terms

/// Makes the export table and fills the hooks that others have for code. Once at boot, after the interpreter has
/// filled `handlerSlots` and before `registerBifs`.
public func bootCodeTables() {
    Exports.boot()
    TermHooks.export = { module, name, arity in Exports.findOrMake(module, name, arity) }
    TermHooks.isExported = { module, name, arity in Exports.find(module, name, arity) != nil }
    CodeHooks.checkCode = { process, module in
        guard module.isAtom else { return Atoms.false }
        return Modules.usesOldCode(process, module) ? Atoms.true : Atoms.false
    }
    TermHooks.funEntry = { module, uniq, index, oldUniq, arity, freeCount in
        FunEntries.findOrMake(
            module, uniq: uniq, index: index, oldUniq: oldUniq, arity: arity, freeCount: freeCount, forModule: false)
    }
}
