// Arguments.swift: the command line, treated as erlexec treats erl's: flags from the environment, -args_file, what the
// launcher handles itself, and emulator flags in front of the first `--`. Source: erl(1) and init(3) of OTP 25.

import Glibc
import JIT

/// What a command line comes to.
struct LaunchPlan {
    var emulator: [EmulatorFlag] = []
    /// The same as words, for -emu_args.
    var emulatorWords: [String] = []
    /// Everything for the init process, as the emulator would pass it.
    var initArguments: [String] = []
    var options = VMOptions()
    var isDetached = false
    var environment: [(String, String)] = []
    /// Print the version and stop.
    var printsVersion = false
    /// Print the arguments: all in one line, or each in its own and stop.
    var printsArguments = false
    var stopsAfterArguments = false
    var printsName = false
}

/// Enigma's own long options.
struct VMOptions {
    var jit = JITOptions()
    var stressesCollector = false
}

struct UsageError: Error { let text: String }

struct CommandLineReader {
    private var words: [String]
    private var plan = LaunchPlan()
    private var user: [String] = []
    private let root: String
    private let binaries: String
    private let program: String

    init(_ arguments: [String], root: String, binaries: String, program: String) throws(UsageError) {
        self.root = root
        self.binaries = binaries
        self.program = program
        let major = Self.variable("ERL_OTP25_FLAGS") + Self.variable("ERL_AFLAGS")
        // What follows -extra stays last, whatever the environment adds.
        let extra = arguments.firstIndex(of: "-extra") ?? arguments.endIndex
        let minor = Self.variable("ERL_FLAGS") + Self.variable("ERL_ZFLAGS")
        words = major + arguments[..<extra] + (minor.isEmpty ? [] : ["--"] + minor) + arguments[extra...]
    }

    /// The blank-separated words of an environment variable; quotes as in an -args_file.
    private static func variable(_ name: String) -> [String] {
        guard let value = getenv(name) else { return [] }
        return splitWords(String(cString: value))
    }

    mutating func run() throws(UsageError) -> LaunchPlan {
        var index = 0
        while index < words.count {
            index = try read(index)
        }
        if user.last == "--" { user.removeLast() }
        let home = getenv("HOME").map { String(cString: $0) } ?? "/"
        plan.initArguments =
            ["-root", root, "-bindir", binaries, "-progname", program, "--", "-home", home, "--"] + user
        return plan
    }

    private func next(_ index: Int) throws(UsageError) -> String {
        guard index + 1 < words.count else { throw UsageError(text: "Missing argument(s) for '\(words[index])'.") }
        return words[index + 1]
    }

    /// Handles the word at `index`; answers the next index.
    private mutating func read(_ index: Int) throws(UsageError) -> Int {
        let word = words[index]
        if word.hasPrefix("--"), word.count > 2 {
            if readOwnOption(word) { return index + 1 }
            if try readOwnOption(word, index) { return index + 2 }
        }
        if word.hasPrefix("+"), word.count > 1 { return try readEmulatorFlag(index) }
        switch word {
        case "-extra":
            user += words[index...]
            return words.count
        case "-args_file":
            let path = try next(index)
            guard let text = readFile(path) else {
                throw UsageError(text: "Failed to open arguments file \"\(path)\"")
            }
            words.replaceSubrange(index...(index + 1), with: splitWords(text))
            return index
        case "-env":
            guard index + 2 < words.count else { throw UsageError(text: "Missing argument(s) for '-env'.") }
            plan.environment.append((words[index + 1], words[index + 2]))
            return index + 3
        case "-detached":
            plan.isDetached = true
            user += ["-noshell", "-noinput"]
        case "-noinput": user += ["-noshell", "-noinput"]
        case "-version": plan.printsVersion = true
        case "-emu_type", "-emu_flavor", "-epmd", "-start_epmd":
            _ = try next(index)
            return index + 2
        case "-no_epmd", "-keep_window", "-nohup": break
        case "-smp", "-smpauto", "-smpenable", "-smpdisable":
            let isMode = index + 1 < words.count && ["auto", "enable", "disable"].contains(words[index + 1])
            return index + (isMode ? 2 : 1)
        case "-emu_args": plan.printsArguments = true
        case "-emu_args_exit": plan.stopsAfterArguments = true
        case "-emu_name_exit": plan.printsName = true
        case "-boot", "-config", "-mode":
            user += [word, try next(index)]
            return index + 2
        case "-make": user += ["-noshell", "-noinput", "-s", "make", "all"]
        case "-compile": user += ["-noshell", "-noinput", "-s", "c", "erlangrc"]
        default: user.append(word)
        }
        return index + 1
    }

    private mutating func readOwnOption(_ word: String) -> Bool {
        switch word {
        case "--no-jit": plan.options.jit.isEnabled = false
        case "--jit-eager": plan.options.jit.isEager = true
        case "--jit-wait": plan.options.jit.waits = true
        case "--jit-exit-stress": plan.options.jit.stressesExits = true
        case "--jit-stats": plan.options.jit.printsStatistics = true
        case "--jit-gdb": plan.options.jit.tellsDebugger = true
        case "--gc-stress": plan.options.stressesCollector = true
        default: return false
        }
        return true
    }

    /// Options with a value.
    private mutating func readOwnOption(_ word: String, _ index: Int) throws(UsageError) -> Bool {
        switch word {
        case "--jit-threshold":
            guard let number = Int(try next(index)), number > 0 else {
                throw UsageError(text: "bad number of calls \(words[index + 1])")
            }
            plan.options.jit.threshold = number
        case "--jit-only": plan.options.jit.onlyModules = try next(index)
        case "--jit-limit": plan.options.jit.limit = Int(try next(index)) ?? 0
        case "--jit-fail": plan.options.jit.failAt = UInt64(try next(index)) ?? 0
        case "--jit-perf":
            switch try next(index) {
            case "map": plan.options.jit.writesPerfMap = true
            case "jitdump": plan.options.jit.writesJITDump = true
            default: throw UsageError(text: "--jit-perf takes map or jitdump")
            }
        case "--jit-cache":
            let place = try next(index)
            plan.options.jit.usesCache = place != "off"
            plan.options.jit.cacheDirectory = place == "off" ? nil : place
        case "--jit-cache-limit":
            guard let number = Int(try next(index)), number > 0, number < 1 << 20 else {
                throw UsageError(text: "bad number of megabytes \(words[index + 1])")
            }
            plan.options.jit.cacheLimit = number << 20
        case "--jit-dump": plan.options.jit.dumpDirectory = try next(index)
        case "--jit-dump-filter": plan.options.jit.dumpFilter = try next(index)
        default: return false
        }
        return true
    }

    private mutating func readEmulatorFlag(_ index: Int) throws(UsageError) -> Int {
        let following = index + 1 < words.count ? words[index + 1] : nil
        let (flag, usesNext) = try EmulatorFlag.read(String(words[index].dropFirst()), next: following)
        plan.emulatorWords.append("-" + words[index].dropFirst())
        if usesNext, let following { plan.emulatorWords.append(following) }
        if flag.name == "V" { plan.printsVersion = true } else { plan.emulator.append(flag) }
        return index + (usesNext ? 2 : 1)
    }
}

func readFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16384)
    while true {
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count <= 0 { break }
        bytes += buffer[0..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// Blank-separated words with '...' and "..." quotes, `\` escapes and `#` comments to the end of the line.
func splitWords(_ text: String) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var isEscaped = false
    var isComment = false
    for character in text {
        if isComment {
            isComment = character != "\n"
        } else if isEscaped {
            word = (word ?? "") + String(character)
            isEscaped = false
        } else if character == "\\", quote != "'" {
            isEscaped = true
        } else if let open = quote {
            if character == open { quote = nil } else { word = (word ?? "") + String(character) }
        } else if character == "'" || character == "\"" {
            quote = character
            word = word ?? ""
        } else if character == "#", word == nil {
            isComment = true
        } else if character.isWhitespace {
            if let finished = word { words.append(finished) }
            word = nil
        } else {
            word = (word ?? "") + String(character)
        }
    }
    if let finished = word { words.append(finished) }
    return words
}
