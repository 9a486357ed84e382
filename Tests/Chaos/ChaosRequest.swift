// What the command line asks for, from outside the namespaces to inside and back.

import Foundation
import Glibc
import TestSupport

package struct ChaosRequest: Sendable {
    package static let cannot: Int32 = 77

    private let settings: ChaosSettings
    private let soakMinutes: Int?
    private let isFolderOurs: Bool
    private let keeps: Bool
    private let kindsAreChosen: Bool

    package init(
        seed: UInt64?, seconds: Int, kills: Int?, kinds: [FaultKind], kindsAreChosen: Bool, nodes: Int,
        faultsPerRound: Int, folder: String?, soakMinutes: Int?, isConfined: Bool, isVerbose: Bool, keeps: Bool
    ) {
        let place = folder.map { URL(fileURLWithPath: $0) }
        isFolderOurs = place == nil
        var settings = ChaosSettings(
            folder: place ?? URL(fileURLWithPath: "/tmp/sluice-chaos-\(getpid())"))
        settings.seed = seed ?? UInt64.random(in: 1...999_999)
        settings.duration = .seconds(seconds)
        settings.kills = kills
        settings.kinds = kinds
        settings.nodes = nodes
        settings.faultsPerRound = faultsPerRound
        settings.isConfined = isConfined
        settings.isVerbose = isVerbose
        self.settings = settings
        self.soakMinutes = soakMinutes
        self.keeps = keeps
        self.kindsAreChosen = kindsAreChosen
    }

    /// Returns the exit code.
    package func carryOut() async -> Int32 {
        do {
            return Confinement.isInside || !settings.isConfined ? try await inside() : try await outside()
        } catch {
            say("\(error)")
            return 1
        }
    }

    private func outside() async throws -> Int32 {
        if let obstacle = await Confinement.obstacle() {
            say("\(obstacle) (--unconfined does without: proxies for links, no full disks)")
            return Self.cannot
        }
        Confinement.removeLeftovers(in: URL(fileURLWithPath: "/tmp"))
        try makeFolder()
        var arguments = Array(CommandLine.arguments.dropFirst())
        if isFolderOurs { arguments += ["--folder", settings.folder.path] }
        if !arguments.contains("--seed") { arguments += ["--seed", "\(settings.seed)"] }
        let code = try await Confinement.run(arguments)
        finish(isGood: code == 0, wasStopped: code > 128)
        return code
    }

    private func inside() async throws -> Int32 {
        try makeFolder()
        guard let settings = possible() else { return Self.cannot }
        say("seed \(settings.seed), faults \(settings.kinds.map(\.rawValue).joined(separator: ","))")
        do {
            if let soakMinutes {
                try await Soak(settings, minutes: soakMinutes).run()
            } else {
                try await ChaosRun(settings).run()
            }
        } catch {
            say("VIOLATION\n\(error)")
            if !Confinement.isInside { finish(isGood: false, wasStopped: false) }
            return 1
        }
        if !Confinement.isInside { finish(isGood: true, wasStopped: false) }
        return 0
    }

    /// Without the faults that this machine cannot make; nil if one of them was asked for.
    private func possible() -> ChaosSettings? {
        var obstacles: [FaultKind: String] = [:]
        if let obstacle = FakeClock.obstacle { obstacles[.clock] = obstacle }
        if !SmallDisk.isPossible {
            for kind in [FaultKind.fillLog, .fillNode] { obstacles[kind] = "a tmpfs cannot be mounted here" }
        }
        var settings = settings
        for kind in settings.kinds {
            guard let obstacle = obstacles[kind] else { continue }
            say("\(kind.rawValue): \(obstacle)")
            if kindsAreChosen { return nil }
            settings.kinds.removeAll { $0 == kind }
        }
        return settings
    }

    private func makeFolder() throws {
        try FileManager.default.createDirectory(at: settings.folder, withIntermediateDirectories: true)
    }

    private func finish(isGood: Bool, wasStopped: Bool) {
        if isFolderOurs, isGood || wasStopped, !keeps {
            try? FileManager.default.removeItem(at: settings.folder)
        } else {
            say("logs and data: \(settings.folder.path)")
        }
    }

    private func say(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
