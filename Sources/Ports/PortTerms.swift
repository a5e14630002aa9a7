// PortTerms.swift: what the native functions of this target share for reading arguments and making results: machine
// integers, vectors of binaries, and resources (magic references to objects of native code).

import CMachine
import Glibc
import Machine
import Terms

/// The value of an integer term that fits 64 bits signed.
func int64(_ term: Term) -> Int? {
    if term.isSmall { return term.smallValue }
    guard term.isBig, term.bigLimbCount == 1 else { return nil }
    let magnitude = term.bigLimbs[0]
    if term.bigIsNegative { return magnitude <= 1 << 63 ? Int(truncatingIfNeeded: 0 &- magnitude) : nil }
    return magnitude < 1 << 63 ? Int(magnitude) : nil
}

/// The value of an integer term that fits 64 bits unsigned.
func uint64(_ term: Term) -> UInt64? {
    if term.isSmall { return term.smallValue >= 0 ? UInt64(term.smallValue) : nil }
    guard term.isBig, !term.bigIsNegative, term.bigLimbCount == 1 else { return nil }
    return term.bigLimbs[0]
}

func int32(_ term: Term) -> Int32? { term.isSmall ? Int32(exactly: term.smallValue) : nil }
func uint32(_ term: Term) -> UInt32? { term.isSmall ? UInt32(exactly: term.smallValue) : nil }

// MARK: - Vectors of binaries

/// The first binaries of a list, as the operations on files and buffers take them.
struct ByteVector {
    /// Binaries of one call; the rest of the list is handed back.
    static let defaultLimit = 64

    var views: [ByteView] = []
    var byteCount = 0
    /// What follows the binaries taken: a cons cell or nil.
    var rest: Term

    /// Nil unless the list starts with up to `limit` binaries and is a list up to there. Binaries are whole bytes
    /// (an empty one may have loose bits, as in OTP).
    init?(_ list: Term, limit: Int = ByteVector.defaultLimit) {
        rest = list
        var taken = 0
        while rest.isCons, taken < limit {
            let element = rest.head
            guard element.isBitstring, element.isBinary || element.wholeByteCount == 0 else {
                release()
                return nil
            }
            let view = ByteView(wholeBytesOf: Bits(element))
            if view.count > 0 {
                views.append(view)
                byteCount += view.count
            } else {
                view.release()
            }
            rest = rest.tail
            taken += 1
        }
        guard rest.isList else {
            release()
            return nil
        }
    }

    func release() { for view in views { view.release() } }
}

// MARK: - Resources

/// Makes the object behind a resource, with one reference, which the caller owns. `kind` is an address that no other
/// kind of resource uses; `destroy` runs when the last reference is gone.
func newResource(
    _ kind: UnsafeRawPointer, data: UnsafeMutableRawPointer?,
    destroy: (@convention(c) (UnsafeMutablePointer<MagicBinary>) -> Void)?
) -> Ref<MagicBinary> {
    let size = MemoryLayout<MagicBinary>.size
    guard let memory = malloc(size) else { outOfMemory(size) }
    let magic = memory.assumingMemoryBound(to: MagicBinary.self)
    magic.initialize(to: MagicBinary())
    magic.pointee.head.references = 1
    magic.pointee.head.flags = UInt64(binaryIsMagic)
    magic.pointee.numbers = References.make(nil)
    magic.pointee.kind = kind
    magic.pointee.data = data
    magic.pointee.destroy = destroy
    return magic
}

extension UnsafeMutablePointer where Pointee == MagicBinary {
    /// The counted head.
    var asBinary: Ref<Binary> { UnsafeMutableRawPointer(self).assumingMemoryBound(to: Binary.self) }
}

/// The data of a resource of this kind; nil for any other term.
func resourceData(_ term: Term, _ kind: UnsafeRawPointer) -> UnsafeMutableRawPointer? {
    guard term.isBoxed(Subtag.magicReference), term.magicBinary.pointee.kind == kind else { return nil }
    return term.magicBinary.pointee.data
}

/// Keeps a Swift object as the data of a resource.
func newResource(_ kind: UnsafeRawPointer, owning object: AnyObject) -> Ref<MagicBinary> {
    newResource(kind, data: Unmanaged.passRetained(object).toOpaque()) { magic in
        if let data = magic.pointee.data { Unmanaged<AnyObject>.fromOpaque(data).release() }
    }
}

/// An address to tell a kind of resource by; it is never freed.
func newResourceKind() -> UnsafeRawPointer { UnsafeRawPointer(UnsafeMutablePointer<UInt64>.allocate(capacity: 1)) }
