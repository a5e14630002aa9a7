// PosixErrors.swift: error numbers of the C library as the atoms that Erlang programs see. A number that has no name
// there is `unknown`, as in OTP.

import CMachine
import Glibc
import Machine
import Terms

/// Name of an error number: the lower-case text of its C constant.
func posixName(_ number: Int32) -> StaticString {
    switch number {
    case E2BIG: "e2big"
    case EACCES: "eacces"
    case EADDRINUSE: "eaddrinuse"
    case EADDRNOTAVAIL: "eaddrnotavail"
    case EADV: "eadv"
    case EAFNOSUPPORT: "eafnosupport"
    case EAGAIN: "eagain"
    case EALREADY: "ealready"
    case EBADE: "ebade"
    case EBADF: "ebadf"
    case EBADFD: "ebadfd"
    case EBADMSG: "ebadmsg"
    case EBADR: "ebadr"
    case EBADRQC: "ebadrqc"
    case EBADSLT: "ebadslt"
    case EBFONT: "ebfont"
    case EBUSY: "ebusy"
    case ECHILD: "echild"
    case ECHRNG: "echrng"
    case ECOMM: "ecomm"
    case ECONNABORTED: "econnaborted"
    case ECONNREFUSED: "econnrefused"
    case ECONNRESET: "econnreset"
    case EDEADLK: "edeadlk"
    case EDESTADDRREQ: "edestaddrreq"
    case EDOM: "edom"
    case EDOTDOT: "edotdot"
    case EDQUOT: "edquot"
    case EEXIST: "eexist"
    case EFAULT: "efault"
    case EFBIG: "efbig"
    case EHOSTDOWN: "ehostdown"
    case EHOSTUNREACH: "ehostunreach"
    case EIDRM: "eidrm"
    case EILSEQ: "eilseq"
    case EINPROGRESS: "einprogress"
    case EINTR: "eintr"
    case EINVAL: "einval"
    case EIO: "eio"
    case EISCONN: "eisconn"
    case EISDIR: "eisdir"
    case EISNAM: "eisnam"
    case ELOOP: "eloop"
    case EMFILE: "emfile"
    case EMLINK: "emlink"
    case EMSGSIZE: "emsgsize"
    case EMULTIHOP: "emultihop"
    case ENAMETOOLONG: "enametoolong"
    case ENETDOWN: "enetdown"
    case ENETRESET: "enetreset"
    case ENETUNREACH: "enetunreach"
    case ENFILE: "enfile"
    default: posixNameFromN(number)
    }
}

private func posixNameFromN(_ number: Int32) -> StaticString {
    switch number {
    case EL2HLT: "el2hlt"
    case EL2NSYNC: "el2nsync"
    case EL3HLT: "el3hlt"
    case EL3RST: "el3rst"
    case ELIBACC: "elibacc"
    case ELIBBAD: "elibbad"
    case ELIBEXEC: "elibexec"
    case ELIBMAX: "elibmax"
    case ELIBSCN: "elibscn"
    case ELNRNG: "elnrng"
    case ENAVAIL: "enavail"
    case ENOANO: "enoano"
    case ENOBUFS: "enobufs"
    case ENOCSI: "enocsi"
    case ENODATA: "enodata"
    case ENODEV: "enodev"
    case ENOENT: "enoent"
    case ENOEXEC: "enoexec"
    case ENOLCK: "enolck"
    case ENOLINK: "enolink"
    case ENOMEM: "enomem"
    case ENOMSG: "enomsg"
    case ENONET: "enonet"
    case ENOPKG: "enopkg"
    case ENOPROTOOPT: "enoprotoopt"
    case ENOSPC: "enospc"
    case ENOSR: "enosr"
    case ENOSTR: "enostr"
    case ENOSYS: "enosys"
    case ENOTBLK: "enotblk"
    case ENOTCONN: "enotconn"
    case ENOTDIR: "enotdir"
    case ENOTEMPTY: "enotempty"
    case ENOTNAM: "enotnam"
    case ENOTSOCK: "enotsock"
    case ENOTSUP: "enotsup"
    case ENOTTY: "enotty"
    case ENOTUNIQ: "enotuniq"
    case ENXIO: "enxio"
    case EOVERFLOW: "eoverflow"
    case EPERM: "eperm"
    case EPFNOSUPPORT: "epfnosupport"
    case EPIPE: "epipe"
    case EPROTO: "eproto"
    case EPROTONOSUPPORT: "eprotonosupport"
    case EPROTOTYPE: "eprototype"
    case ERANGE: "erange"
    case EREMCHG: "eremchg"
    case EREMOTE: "eremote"
    case EREMOTEIO: "eremoteio"
    case EROFS: "erofs"
    case ESHUTDOWN: "eshutdown"
    case ESOCKTNOSUPPORT: "esocktnosupport"
    case ESPIPE: "espipe"
    case ESRCH: "esrch"
    case ESRMNT: "esrmnt"
    case ESTALE: "estale"
    case ETIME: "etime"
    case ETIMEDOUT: "etimedout"
    case ETOOMANYREFS: "etoomanyrefs"
    case ETXTBSY: "etxtbsy"
    case EUCLEAN: "euclean"
    case EUNATCH: "eunatch"
    case EUSERS: "eusers"
    case EXDEV: "exdev"
    case EXFULL: "exfull"
    default: "unknown"
    }
}

/// The atom of an error number.
func posixAtom(_ number: Int32) -> Term {
    let name = posixName(number)
    let text = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    return AtomTable.intern(text) ?? Atoms.error
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// `{error, Reason}` for an error number.
    func posixError(_ number: Int32) -> Term { tuple(Atoms.error, posixAtom(number)) }
    /// `{ok, Value}`.
    func okTuple(_ value: Term) -> Term { tuple(Atoms.ok, value) }
}
