// TreeTable.swift: ordered sets: a height-balanced (AVL) tree in term order.
//
// Keys that compare equal (1 and 1.0) are one key. The table lock protects the whole tree: readers share it, writers
// hold it alone. Nodes know their parents, so that the next and the previous object are found without a stack.

import CMachine
import Terms

extension UnsafeMutablePointer where Pointee == Table {
    // MARK: Finding

    /// Order of a key and the key of a node.
    @inline(__always) func treeOrder(_ key: Term, _ object: TableObject) -> Int {
        let other = object.key(pointee.keyPosition)
        if key.raw == other.raw { return 0 }
        if key.isSmall, other.isSmall { return key.smallValue < other.smallValue ? -1 : 1 }
        return compareTerms(key, other)
    }

    func treeFind(_ key: Term) -> TableObject? {
        var current = pointee.root
        while let object = current {
            let order = treeOrder(key, object)
            if order == 0 { return object }
            current = order < 0 ? object.left : object.right
        }
        return nil
    }

    /// The first object whose key is greater than `key` (or equal to it, if `orEqual`).
    func treeAfter(_ key: Term, orEqual: Bool = false) -> TableObject? {
        var best: TableObject?
        var current = pointee.root
        while let object = current {
            let order = treeOrder(key, object)
            if order < 0 || orEqual && order == 0 {
                best = object
                current = object.left
            } else {
                current = object.right
            }
        }
        return best
    }

    /// The last object whose key is less than `key` (or equal to it, if `orEqual`).
    func treeBefore(_ key: Term, orEqual: Bool = false) -> TableObject? {
        var best: TableObject?
        var current = pointee.root
        while let object = current {
            let order = treeOrder(key, object)
            if order > 0 || orEqual && order == 0 {
                best = object
                current = object.right
            } else {
                current = object.left
            }
        }
        return best
    }

    var treeFirst: TableObject? {
        guard var current = pointee.root else { return nil }
        while let left = current.left { current = left }
        return current
    }

    var treeLast: TableObject? {
        guard var current = pointee.root else { return nil }
        while let right = current.right { current = right }
        return current
    }

    // MARK: Changing

    /// Puts a finished object into the tree, which owns it from now on; false if `onlyNew` and the key is there.
    func treeInsert(_ object: TableObject, onlyNew: Bool) -> Bool {
        let key = object.key(pointee.keyPosition)
        var parent: TableObject?
        var order = 0
        var current = pointee.root
        while let node = current {
            order = treeOrder(key, node)
            if order == 0 {
                if onlyNew {
                    object.free(inTree: true)
                    return false
                }
                treeReplace(node, by: object)
                return true
            }
            parent = node
            current = order < 0 ? node.left : node.right
        }
        object.left = nil
        object.right = nil
        object.parent = parent
        object.height = 1
        if let parent {
            if order < 0 { parent.left = object } else { parent.right = object }
        } else {
            pointee.root = object
        }
        pointee.treeObjects &+= 1
        pointee.treeWords &+= object.allocatedWords(inTree: true)
        rebalance(from: parent)
        return true
    }

    /// Puts `object` in the place of `old`, which is freed. Requires: equal keys.
    func treeReplace(_ old: TableObject, by object: TableObject) {
        object.height = old.height
        object.left = old.left
        object.right = old.right
        object.left?.parent = object
        object.right?.parent = object
        relink(old, object, under: old.parent)
        pointee.treeWords &+= object.words &- old.words
        old.free(inTree: true)
    }

    /// Takes `object` out of the tree. The caller frees it.
    func treeRemove(_ object: TableObject) {
        pointee.treeObjects &-= 1
        pointee.treeWords &-= object.allocatedWords(inTree: true)
        guard let left = object.left, let right = object.right else {
            let parent = object.parent
            relink(object, object.left ?? object.right, under: parent)
            rebalance(from: parent)
            return
        }
        var successor = right
        while let next = successor.left { successor = next }
        var start: TableObject? = successor
        if successor != right {
            start = successor.parent
            relink(successor, successor.right, under: start)
            successor.right = right
            right.parent = successor
        }
        successor.left = left
        left.parent = successor
        successor.height = object.height
        relink(object, successor, under: object.parent)
        rebalance(from: start)
    }

    // MARK: Balance

    /// Makes `new` the child of `parent` that `old` was.
    private func relink(_ old: TableObject, _ new: TableObject?, under parent: TableObject?) {
        if let parent {
            if parent.left == old { parent.left = new } else { parent.right = new }
        } else {
            pointee.root = new
        }
        new?.parent = parent
    }

    @inline(__always) private func height(_ object: TableObject?) -> Int { object?.height ?? 0 }

    @inline(__always) private func updateHeight(_ object: TableObject) {
        object.height = 1 &+ Swift.max(height(object.left), height(object.right))
    }

    /// Restores the balance of `start` and of the nodes above it, as far as heights changed.
    private func rebalance(from start: TableObject?) {
        var current = start
        while let node = current {
            let before = node.height
            let difference = height(node.left) &- height(node.right)
            var top = node
            if difference > 1 {
                let left = node.left.unsafelyUnwrapped
                if height(left.left) < height(left.right) { rotateLeft(left) }
                top = rotateRight(node)
            } else if difference < -1 {
                let right = node.right.unsafelyUnwrapped
                if height(right.right) < height(right.left) { rotateRight(right) }
                top = rotateLeft(node)
            } else {
                updateHeight(node)
            }
            if top.height == before { return }
            current = top.parent
        }
    }

    @discardableResult private func rotateLeft(_ node: TableObject) -> TableObject {
        let top = node.right.unsafelyUnwrapped
        node.right = top.left
        top.left?.parent = node
        relink(node, top, under: node.parent)
        top.left = node
        node.parent = top
        updateHeight(node)
        updateHeight(top)
        return top
    }

    @discardableResult private func rotateRight(_ node: TableObject) -> TableObject {
        let top = node.left.unsafelyUnwrapped
        node.left = top.right
        top.right?.parent = node
        relink(node, top, under: node.parent)
        top.right = node
        node.parent = top
        updateHeight(node)
        updateHeight(top)
        return top
    }

    // MARK: All objects

    /// Frees up to `limit` objects of an unreachable tree; true when none is left. Takes leaves, so it needs no stack.
    func freeTree(limit: Int) -> Bool {
        var left = limit
        var current = pointee.root
        while let node = current {
            if left == 0 {
                // The links above stay good: a freed child was unlinked from its parent.
                return false
            }
            if let child = node.left ?? node.right {
                current = child
                continue
            }
            let parent = node.parent
            relink(node, nil, under: parent)
            node.free(inTree: true)
            left -= 1
            current = parent
        }
        return true
    }
}

extension TableObject {
    /// The next object in order.
    var successor: TableObject? {
        if var node = right {
            while let left = node.left { node = left }
            return node
        }
        var node = self
        while let above = node.parent {
            if above.left == node { return above }
            node = above
        }
        return nil
    }

    /// The object before.
    var predecessor: TableObject? {
        if var node = left {
            while let right = node.right { node = right }
            return node
        }
        var node = self
        while let above = node.parent {
            if above.right == node { return above }
            node = above
        }
        return nil
    }
}
