// swift-tools-version: 6.2
import PackageDescription

let house: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let collections: Target.Dependency = .product(
    name: "OrderedCollections", package: "swift-collections")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let arguments: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
    .product(name: "SwiftASN1", package: "swift-asn1"),
]

let package = Package(
    name: "VortexNetFS",
    products: [.executable(name: "vortex", targets: ["vortex"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    ],
    targets: [
        // The C edges: module maps over Debian's libraries, with static inline shims where a macro
        // or a variadic function has no Swift spelling.
        .systemLibrary(
            name: "CHttpd", path: "CHttpd", pkgConfig: "libmicrohttpd",
            providers: [.apt(["libmicrohttpd-dev"])]),
        .systemLibrary(name: "CRocksDB", providers: [.apt(["librocksdb-dev"])]),
        .systemLibrary(name: "CDisk"),
        .systemLibrary(name: "CProcess"),
        .systemLibrary(name: "CChecksum", providers: [.apt(["libisal-dev", "libxxhash-dev"])]),
        .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CExpat", providers: [.apt(["libexpat1-dev"])]),

        // Imports point only upward in this list.
        .target(
            name: "VortexCore", dependencies: ["CChecksum", collections], swiftSettings: house),
        .target(
            name: "VortexStore",
            dependencies: ["VortexCore", "CDisk", "CRocksDB", collections, deque],
            swiftSettings: house),
        .target(
            name: "VortexCluster", dependencies: ["VortexCore", "VortexStore", logging, deque],
            swiftSettings: house),
        .target(
            name: "VortexNet", dependencies: ["VortexCore", crypto, logging, deque] + nio,
            swiftSettings: house),
        .target(
            name: "VortexSimulator",
            dependencies: ["VortexCore", "VortexStore", "VortexCluster", collections],
            swiftSettings: house),
        .target(
            name: "VortexGateway",
            dependencies: [
                "VortexCore", "VortexCluster", "CExpat", "CHttpd", crypto, logging, deque,
            ],
            swiftSettings: house),
        .executableTarget(
            name: "vortex",
            dependencies: [
                "VortexCore", "VortexStore", "VortexCluster", "VortexNet", "VortexGateway",
                "VortexSimulator", "CCurl", "CProcess", arguments, logging,
            ],
            swiftSettings: house),

        .testTarget(
            name: "VortexCoreTests", dependencies: ["VortexCore", collections],
            swiftSettings: house),
        .testTarget(
            name: "VortexStoreTests", dependencies: ["VortexCore", "VortexStore"],
            swiftSettings: house),
        .testTarget(
            name: "VortexClusterTests",
            dependencies: ["VortexCore", "VortexStore", "VortexCluster"],
            swiftSettings: house),
        .testTarget(
            name: "VortexNetTests",
            dependencies: ["VortexCore", "VortexNet", crypto, logging] + nio,
            swiftSettings: house),
        .testTarget(
            name: "VortexSimulatorTests",
            dependencies: ["VortexCore", "VortexStore", "VortexCluster", "VortexSimulator"],
            swiftSettings: house),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["VortexCore", "VortexStore", "VortexCluster", "VortexSimulator"],
            swiftSettings: house),
        .testTarget(
            name: "VortexGatewayTests",
            dependencies: ["VortexCore", "VortexStore", "VortexCluster", "VortexGateway", crypto],
            swiftSettings: house),
        .testTarget(
            name: "VortexTests", dependencies: ["vortex", "VortexGateway", arguments],
            swiftSettings: house),
        .testTarget(name: "TidyTests", swiftSettings: house),
    ]
)
