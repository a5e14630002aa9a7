// SelectReplace.swift: the condition of ets:select_replace/2: a clause's body must build an object whose key is surely
// the key of the object that matched.

import CMachine
import Terms

func keepsKey(_ clause: MatchClause, _ position: Int) -> Bool {
    guard clause.body.isCons, clause.body.tail.isNil else { return false }
    let result = clause.body.head
    if result == Atoms.dollarUnderscore { return true }
    guard result.isTuple, let matched = key(of: clause.pattern, position) else { return false }
    let isConstant = result.isTuple(2) && result.element(0) == Atoms.const
    guard isConstant || result.isTuple(1) else { return false }
    guard let built = key(of: result.element(isConstant ? 1 : 0), position) else { return false }
    if buildsSame(matched, built, isConstant: isConstant) { return true }
    // {element, Position, '$_'}
    return !isConstant && built.isTuple(3) && built.element(0) == Atoms.element
        && built.element(1) == .small(position) && built.element(2) == Atoms.dollarUnderscore
}

private func key(of tuple: Term, _ position: Int) -> Term? {
    tuple.isTuple && tuple.tupleSize >= position ? tuple.element(position - 1) : nil
}

/// Whether the expression always builds the term that the pattern matched.
private func buildsSame(_ pattern: Term, _ expression: Term, isConstant: Bool) -> Bool {
    // Triples of words: pattern, expression, whether the expression is within a constant.
    var stack = WordBuffer()
    defer { stack.release() }
    func push(_ a: Term, _ b: Term, _ constant: Bool) {
        stack.push(a.raw)
        stack.push(b.raw)
        stack.push(constant ? 1 : 0)
    }
    push(pattern, expression, isConstant)
    while stack.count > 0 {
        stack.count -= 3
        let a = Term(raw: stack.words[stack.count])
        var b = Term(raw: stack.words[stack.count + 1])
        let constant = stack.words[stack.count + 2] != 0
        if b.isCons {
            guard a.isCons else { return false }
            push(a.tail, b.tail, constant)
            push(a.head, b.head, constant)
        } else if b.isTuple {
            if !constant {
                if b.isTuple(1), b.element(0).isTuple {
                    b = b.element(0)
                } else if b.isTuple(2), b.element(0) == Atoms.const {
                    push(a, b.element(1), true)
                    continue
                } else {
                    return false
                }
            }
            guard a.isTuple, a.tupleSize == b.tupleSize else { return false }
            for index in 0..<a.tupleSize { push(a.element(index), b.element(index), constant) }
        } else if b.isMap {
            // The pattern of a map does not tell which other pairs there are.
            return false
        } else if b.isImmediate {
            if a != b || a == Atoms.underscore || a == Atoms.dollarDollar || a == Atoms.dollarUnderscore
                || constant && matchVariable(a) != nil
            {
                return false
            }
        } else if !termsIdentical(a, b) {
            return false
        }
    }
    return true
}
