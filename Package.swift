// swift-tools-version: 6.3
import PackageDescription

/// Settings of every Swift target: warnings are errors, and the language modes the code is written for.
let common: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Hot targets: no dynamic exclusivity checks in release, and the function merger off, because it gives look-alike
/// handlers an extra parameter and so breaks their guaranteed tail calls (jit-notes/dispatch.md). Every x86-64 processor
/// since 2008 counts bits in one instruction, which the tries of big maps live on.
let hot: [SwiftSetting] = common + [
    .unsafeFlags(
        [
            "-enforce-exclusivity=unchecked", "-Xllvm", "-swiftmergefunc-threshold=0", "-Xcc",
            "-fomit-frame-pointer", "-Xcc", "-mpopcnt",
        ],
        .when(configuration: .release))
]

/// Where the headers of LLVM 19's C API are; the library itself is loaded when the first function is compiled.
let llvmHeaders = ["-I\(Context.environment["LLVM_PREFIX"] ?? "/usr/lib/llvm-19")/include"]

let package = Package(
    name: "enigma",
    targets: [
        .systemLibrary(name: "CGMP"),
        .systemLibrary(name: "CPCRE2"),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CTerminfo"),
        .target(name: "CMachine"),
        .target(name: "CLLVM", cSettings: [.unsafeFlags(llvmHeaders)]),
        .target(name: "Terms", dependencies: ["CMachine", "CGMP", "CZlib"], swiftSettings: hot),
        .target(name: "BeamFile", dependencies: ["CZlib"], swiftSettings: common),
        .target(name: "OpSpec", swiftSettings: common),
        .executableTarget(name: "opgen", dependencies: ["OpSpec"], swiftSettings: common),
        .target(name: "Machine", dependencies: ["CMachine", "Terms", "BeamFile", "OpSpec"], swiftSettings: hot),
        .target(name: "Bifs", dependencies: ["CMachine", "Terms", "BeamFile", "Machine", "CPCRE2"], swiftSettings: hot),
        .target(name: "Tables", dependencies: ["CMachine", "Terms", "Machine"], swiftSettings: hot),
        .target(
            name: "Ports", dependencies: ["CMachine", "Terms", "Machine", "CZlib", "CTerminfo"], swiftSettings: hot),
        .target(
            name: "JIT", dependencies: ["BeamFile", "CLLVM", "CMachine", "Machine", "OpSpec", "Terms"],
            swiftSettings: common + [.unsafeFlags(llvmHeaders.flatMap { ["-Xcc", $0] })]),
        .target(name: "JITReport", swiftSettings: common),
        .executableTarget(
            name: "enigma",
            dependencies: ["CMachine", "Terms", "BeamFile", "Machine", "Bifs", "Tables", "Ports", "JIT", "JITReport"],
            swiftSettings: common + [.unsafeFlags(llvmHeaders.flatMap { ["-Xcc", $0] })],
            linkerSettings: [.unsafeFlags(["-Xlinker", "--export-dynamic", "-Xlinker", "--build-id=sha1"])]),
        .target(
            name: "TestSupport", dependencies: ["BeamFile", "Bifs", "Machine", "Terms"], path: "Tests/TestSupport",
            swiftSettings: common),
        .testTarget(name: "TermsTests", dependencies: ["CMachine", "Terms", "TestSupport"], swiftSettings: common),
        .testTarget(name: "BeamFileTests", dependencies: ["BeamFile", "TestSupport"], swiftSettings: common),
        .testTarget(
            name: "MachineTests", dependencies: ["BeamFile", "CMachine", "Machine", "Terms", "TestSupport"],
            swiftSettings: common),
        .testTarget(
            name: "JITTests", dependencies: ["CMachine", "JIT", "Machine", "Terms", "TestSupport"],
            swiftSettings: common + [.unsafeFlags(llvmHeaders.flatMap { ["-Xcc", $0] })]),
    ]
)
