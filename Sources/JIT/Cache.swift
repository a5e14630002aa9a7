// Cache.swift: compiled units on disk, so that the second run of a program starts hot.
//
//     DIRECTORY/KEY/MD5/F-F+I.unit     KEY: build of the VM and processor; MD5: of the module; F: the functions in the
//                                      unit by index, hexadecimal, the hot one first; I: functions it has inlined
//     DIRECTORY/KEY/MD5/F-N.wanted     empty: programs were over before F was compiled; N of them have tried since
//
// A file appears complete, by a rename, and is never written again: VMs may share the directory without locks. What is
// not as it should be is ignored, and replaced when the function has been compiled.

import BeamFile
import CLLVM
import CMachine
import Glibc
import Machine
import Terms

/// A function, as the cache knows it; also when its module is gone.
struct CacheName {
    let module: UnsafeMutableRawPointer
    let md5: [UInt8]
    let index: UInt32

    init(_ function: Ref<Function>) {
        module = function.pointee.module
        md5 = LoadedModule.of(function).md5
        index = function.pointee.index
    }
}

enum Cache {
    /// Calls of a function before its code is fetched from the cache: that costs some ten microseconds.
    static let threshold: UInt64 = 40
    private static let suffix = ".unit"
    private static let wantedSuffix = ".wanted"
    private static let longestName = 250

    // Constant after boot.
    nonisolated(unsafe) private static var directory: String?
    nonisolated(unsafe) private static var key: [UInt8] = []
    nonisolated(unsafe) private static var limit = 0

    /// Descriptor of the key's folder, all ones while there is none. Release store at boot or by the compile thread.
    nonisolated(unsafe) private static var openedFolder: UInt64 = .max
    private static var folder: Int32 { Int32(truncatingIfNeeded: vm_load_acquire(&openedFolder)) }

    nonisolated(unsafe) private static var lock = Lock()
    /// Under `lock`, by module: the functions of each entry, with `unitEnd` behind.
    nonisolated(unsafe) private static var known: [UnsafeMutableRawPointer: [UInt32]] = [:]
    /// Under `lock`, by module: attempts to compile what is wanted, by function.
    nonisolated(unsafe) private static var wanted: [UnsafeMutableRawPointer: [UInt32: Int]] = [:]
    private static let unitEnd = UInt32.max
    /// Bit of functions that are inlined.
    private static let isInlined: UInt32 = 1 << 31

    // Only the compile thread.
    nonisolated(unsafe) private static var isWritable = true  // read as well when the VM ends
    nonisolated(unsafe) private static var sinceSweep: Int?
    nonisolated(unsafe) private static var files = 0

    static var isOn: Bool { directory != nil }

    static func boot(_ options: JITOptions) {
        guard let directory = options.cacheDirectory ?? usualDirectory, let key = makeKey() else { return }
        self.directory = absolute(directory)
        self.key = key
        limit = options.cacheLimit
        openFolder()
    }

    /// The program may change its working directory.
    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let here = getcwd(nil, 0) else { return path }
        defer { free(here) }
        return "\(String(cString: here))/\(path)"
    }

    private static var usualDirectory: String? {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        if let base = variable("XDG_CACHE_HOME"), base.hasPrefix("/") { return base + "/enigma" }
        guard let home = variable("HOME"), home.hasPrefix("/") else { return nil }
        return home + "/.cache/enigma"
    }

    /// Nil: the executable, or LLVM, does not say which build it is.
    private static func makeKey() -> [UInt8]? {
        #if arch(x86_64)
        var count = 0
        guard let build = vm_build_id(&count) else { return nil }
        var digest = MD5()
        digest.update(UnsafeRawBufferPointer(start: build, count: count))
        var words = [UInt32](repeating: 0, count: 64)
        let used = vm_processor_words(&words, words.count)
        words.withUnsafeBytes { digest.update(UnsafeRawBufferPointer(rebasing: $0[..<(used * 4)])) }
        guard let library = llvm_file() else { return nil }
        var identity = [UInt8](repeating: 0, count: 32)
        let length = vm_build_id_of(library, &identity, identity.count)
        guard length > 0 else { return nil }
        identity.withUnsafeBytes { digest.update(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
        return digest.finish()
        #else
        return nil
        #endif
    }

    /// Only the user's own files are run.
    private static func openFolder() {
        guard let directory else { return }
        let descriptor = open("\(directory)/\(hex(key))", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
            close(descriptor)
            isWritable = false
            return
        }
        vm_store_release(&openedFolder, UInt64(descriptor))
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }
        return String(unsafeUninitializedCapacity: 2 * bytes.count) { buffer in
            for (index, byte) in bytes.enumerated() {
                buffer[2 * index] = digit(byte >> 4)
                buffer[2 * index + 1] = digit(byte & 15)
            }
            return 2 * bytes.count
        }
    }

    // MARK: Looking

    /// A module has been read, and nobody runs it yet: what is in the cache counts as hot soon.
    static func noteModule(_ module: LoadedModule) {
        let (units, wanted) = entries(module)
        let id = Unmanaged.passUnretained(module).toOpaque()
        vm_lock(&lock)
        if !units.isEmpty || !known.isEmpty { known[id] = units.isEmpty ? nil : units }
        if !wanted.isEmpty || !self.wanted.isEmpty { self.wanted[id] = wanted.isEmpty ? nil : wanted }
        vm_unlock(&lock)
        for (index, attempts) in wanted where attempts < attemptLimit {
            let function = module.functions + Int(index)
            function.pointee.calls = min(function.pointee.calls, wantedThreshold)
        }
        for index in units where index & isInlined == 0 {
            let function = module.functions + Int(index)
            function.pointee.calls = min(function.pointee.calls, threshold)
        }
    }

    static func forget(_ module: LoadedModule) {
        vm_lock(&lock)
        known[Unmanaged.passUnretained(module).toOpaque()] = nil
        wanted[Unmanaged.passUnretained(module).toOpaque()] = nil
        vm_unlock(&lock)
    }

    /// Whether there was an entry with the function when its module was read; then the functions of that entry are
    /// decoded now. On a scheduler thread that runs the module's code.
    static func expect(_ function: Ref<Function>) -> Bool {
        let module = LoadedModule.of(function)
        guard let unit = unit(of: function) else { return false }
        for index in unit { _ = decodeFunction(module.functions + Int(index & ~isInlined)) }
        return true
    }

    /// The entry for the function: one of which it is the hot one, or else the first.
    private static func unit(of function: Ref<Function>) -> ArraySlice<UInt32>? {
        vm_lock(&lock)
        let units = known[function.pointee.module]
        vm_unlock(&lock)
        let index = function.pointee.index
        let candidates = units?.split(separator: unitEnd).filter { $0.contains(index) } ?? []
        return candidates.first { $0.first == index } ?? candidates.first
    }

    /// What there is of a module.
    private static func entries(_ module: LoadedModule) -> (units: [UInt32], wanted: [UInt32: Int]) {
        let folder = folder
        guard folder >= 0 else { return ([], [:]) }
        let descriptor = openat(folder, hex(module.md5), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0, let stream = fdopendir(descriptor) else { return ([], [:]) }
        defer { closedir(stream) }
        let limit = UInt32(module.functionCount)
        var units: [UInt32] = []
        var wanted: [UInt32: Int] = [:]
        while let entry = readdir(stream) {
            withUnsafeBytes(of: &entry.pointee.d_name) {
                if let (index, attempts) = readWanted($0.prefix { $0 != 0 }, below: limit) {
                    wanted[index] = max(wanted[index] ?? 0, attempts)
                } else {
                    addUnit($0, below: limit, to: &units)
                }
            }
        }
        return (units, wanted)
    }

    /// Reads a file name; adds nothing if it is not an entry's.
    private static func addUnit(_ name: UnsafeRawBufferPointer, below limit: UInt32, to units: inout [UInt32]) {
        let start = units.count
        var index: UInt32 = 0
        var digits = 0
        var flag: UInt32 = 0
        func isGood() -> Bool { digits > 0 && digits < 8 && index < limit }
        for (position, byte) in name.enumerated() {
            switch byte {
            case 48...57: index = index << 4 | UInt32(byte - 48)
            case 97...102: index = index << 4 | UInt32(byte - 87)
            case UInt8(ascii: "-") where isGood(), UInt8(ascii: "+") where isGood():
                units.append(index | flag)
                (index, digits) = (0, 0)
                flag = byte == UInt8(ascii: "+") ? isInlined : 0
                continue
            case UInt8(ascii: ".") where isGood():
                if name[position...].prefix(suffix.utf8.count + 1).elementsEqual(suffix.utf8 + [0]) {
                    units.append(index | flag)
                    units.append(unitEnd)
                    return
                }
                units.removeSubrange(start...)
                return
            default:
                units.removeSubrange(start...)
                return
            }
            digits += 1
            if digits > 8 { break }
        }
        units.removeSubrange(start...)
    }

    /// Calls `body` with the bytes of the entry for the function, if it is still there.
    static func withEntry(_ function: Ref<Function>, _ body: (UnsafeRawBufferPointer, _ key: [UInt8]) -> Bool) -> Bool {
        let md5 = LoadedModule.of(function).md5
        guard let unit = unit(of: function), let bytes = read("\(hex(md5))/\(name(of: unit))") else { return false }
        defer { bytes.deallocate() }
        return body(UnsafeRawBufferPointer(bytes), key)
    }

    private static func name<C: Collection>(of unit: C) -> String where C.Element == UInt32 {
        var text = ""
        for index in unit {
            let separator = index & isInlined != 0 ? "+" : text.isEmpty ? "" : "-"
            text += separator + String(index & ~isInlined, radix: 16)
        }
        return text + suffix
    }

    /// Closes the descriptor.
    private static func names(in descriptor: Int32) -> [String] {
        guard let stream = fdopendir(descriptor) else {
            close(descriptor)
            return []
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func read(_ name: String) -> UnsafeMutableRawBufferPointer? {
        let descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size > 0, status.st_size < 1 << 26 else { return nil }
        // The oldest go first when there are too many: a day's use counts.
        if status.st_mtim.tv_sec < time(nil) - 86_400 { futimens(descriptor, nil) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(status.st_size), alignment: 16)
        var filled = 0
        while filled < buffer.count {
            let count = Glibc.read(descriptor, buffer.baseAddress! + filled, buffer.count - filled)
            if count <= 0 { break }
            filled += count
        }
        if filled == buffer.count { return buffer }
        buffer.deallocate()
        return nil
    }

    // MARK: Wanted

    // A program may always be over before LLVM has compiled what it needs. So a VM that ends leaves word, and the next
    // ones ask for that first, and early.

    /// Calls of a function that is wanted before it is asked for: feedback wants some.
    static var wantedThreshold: UInt64 { max(1, JITHooks.threshold / 10) }
    /// From so many attempts on the function is compiled alone, and after so many when others are.
    static let smallAttempt = 1
    private static let attemptLimit = 8
    /// Functions that one VM may want.
    private static let wantedLimit = 16

    /// Nil: it is not wanted.
    private static func allAttempts(_ function: CacheName) -> Int? {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return wanted[function.module]?[function.index]
    }

    /// Nil: it is compiled when others are.
    static func attempts(_ function: Ref<Function>) -> Int? {
        allAttempts(CacheName(function)).flatMap { $0 < attemptLimit ? $0 : nil }
    }

    private static func wantedName(_ index: UInt32, _ attempts: Int) -> String {
        "\(String(index, radix: 16))-\(attempts)\(wantedSuffix)"
    }

    private static func readWanted(_ name: Slice<UnsafeRawBufferPointer>, below limit: UInt32) -> (UInt32, Int)? {
        guard name.suffix(wantedSuffix.utf8.count).elementsEqual(wantedSuffix.utf8) else { return nil }
        let parts = String(decoding: name.dropLast(wantedSuffix.utf8.count), as: UTF8.self).split(separator: "-")
        guard parts.count == 2, let index = UInt32(parts[0], radix: 16), index < limit, let attempts = Int(parts[1]),
            attempts >= 0
        else { return nil }
        return (index, attempts)
    }

    /// On the compile thread, which begins with the function. The file goes when the unit is written.
    static func noteAttempt(_ function: Ref<Function>, _ attempts: Int) {
        let place = hex(LoadedModule.of(function).md5)
        let index = function.pointee.index
        renameat(folder, "\(place)/\(wantedName(index, attempts))", folder, "\(place)/\(wantedName(index, attempts + 1))")
    }

    /// When the VM ends.
    static func want(_ functions: [CacheName]) {
        guard !functions.isEmpty, makeFolder() else { return }
        for function in functions.prefix(wantedLimit) where allAttempts(function) == nil {
            let place = hex(function.md5)
            mkdirat(folder, place, 0o700)
            let name = "\(place)/\(wantedName(function.index, 0))"
            close(openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600))
        }
    }

    // MARK: Writing

    /// The key's folder. False: it cannot be used.
    private static func makeFolder() -> Bool {
        guard let directory, isWritable else { return false }
        if folder < 0 {
            makeFolders("\(directory)/\(hex(key))")
            openFolder()
        }
        return folder >= 0
    }

    /// Keeps a compiled unit. Answers whether it is there now.
    static func write(_ unit: Unit, _ native: NativeUnit, _ object: UnsafeRawBufferPointer) -> Bool {
        guard isWritable, let writer = CacheWriter(unit, native, object, key: key) else { return false }
        guard makeFolder() else {
            isWritable = false
            return false
        }
        let module = LoadedModule.of(unit.bodies[0].function)
        let place = hex(module.md5)
        mkdirat(folder, place, 0o700)
        let functions =
            unit.bodies.map(\.function.pointee.index) + unit.inlined.map { $0.pointee.index | isInlined }.sorted()
        let name = name(of: functions)
        // So many functions that the file system has no name for them.
        guard name.utf8.count <= longestName else { return false }
        removeUnits(of: unit.bodies.map { String($0.function.pointee.index, radix: 16) }, in: place, but: name)
        guard store(writer.bytes, "\(place)/\(name)", temporary: "\(place)/.\(getpid())-\(files)") else {
            isWritable = false
            return false
        }
        files += 1
        sweepSometimes(written: writer.bytes.count)
        return true
    }

    private static func makeFolders(_ path: String) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/" + part
            mkdir(made, 0o700)
        }
    }

    /// A unit takes the place of those with the same hot function, and no function of it is wanted any more. What a VM that
    /// ended while it wrote has left goes too.
    private static func removeUnits(of members: [String], in place: String, but kept: String) {
        let root = members[0]
        let descriptor = openat(folder, place, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        for name in names(in: descriptor) where name != kept {
            let isOther = name.hasPrefix(root + "-") || name.hasPrefix(root + "+") || name == root + suffix
            let isDone = name.hasSuffix(wantedSuffix) && members.contains { name.hasPrefix($0 + "-") }
            if isOther || isDone || (name.hasPrefix(".") && isOld("\(place)/\(name)")) { unlinkat(folder, "\(place)/\(name)", 0) }
        }
    }

    private static func isOld(_ path: String) -> Bool {
        var status = stat()
        return fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_mtim.tv_sec < time(nil) - 60
    }

    private static func store(_ bytes: [UInt8], _ name: String, temporary: String) -> Bool {
        let descriptor = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + offset, bytes.count - offset) }
            if count <= 0 { break }
            offset += count
        }
        close(descriptor)
        if offset == bytes.count, renameat(folder, temporary, folder, name) == 0 { return true }
        unlinkat(folder, temporary, 0)
        return false
    }

    // MARK: Size

    /// Looks at the size of the whole cache when some of it is new, or nobody has looked for an hour.
    private static func sweepSometimes(written: Int) {
        guard let directory else { return }
        let stamp = directory + "/.swept"
        if sinceSweep == nil {
            var status = stat()
            let isRecent = stat(stamp, &status) == 0 && status.st_mtim.tv_sec > time(nil) - 3600
            sinceSweep = isRecent ? 0 : limit
        }
        sinceSweep! += written
        guard sinceSweep! > limit / 64 else { return }
        sinceSweep = 0
        close(open(stamp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600))
        sweep(directory)
    }

    /// Removes the oldest entries, of all builds and modules, until three quarters of the limit are left.
    private static func sweep(_ directory: String) {
        func children(_ path: String) -> [String] {
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            return descriptor < 0 ? [] : names(in: descriptor).map { path + "/" + $0 }
        }
        var entries: [(path: String, size: Int, time: Int)] = []
        let modules = children(directory).filter { isHex($0) }.flatMap(children).filter { isHex($0) }
        for path in modules.flatMap(children) {
            var status = stat()
            guard lstat(path, &status) == 0 else { continue }
            // Files take whole blocks.
            entries.append((path, (Int(status.st_size) + 4095) & ~4095, status.st_mtim.tv_sec))
        }
        var total = entries.reduce(0) { $0 + $1.size }
        guard total > limit else { return }
        for entry in entries.sorted(by: { $0.time < $1.time }) {
            if total <= limit / 4 * 3 { break }
            if unlink(entry.path) == 0 { total -= entry.size }
        }
        // Only the empty ones go.
        for path in modules { rmdir(path) }
    }

    /// A folder that the cache itself has made.
    private static func isHex(_ path: String) -> Bool {
        let name = path.utf8[(path.utf8.lastIndex(of: UInt8(ascii: "/")) ?? path.utf8.startIndex)...].dropFirst()
        return name.count == 32 && name.allSatisfy { ($0 >= 48 && $0 < 58) || ($0 >= 97 && $0 < 103) }
    }
}
