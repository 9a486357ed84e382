// A disk that remembers what was synced and what was not: the log's real code runs on it, and whoever simulates decides
// what a power loss leaves behind.

import CommitLog
import Glibc

/// A small, fast, seeded generator, so that every failure can be replayed.
package struct SplitMix: RandomNumberGenerator {
    package var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    package mutating func pick<Item>(_ items: [Item]) -> Item {
        items[Int.random(in: items.indices, using: &self)]
    }

    package mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &self) < percent
    }
}

/// One folder's worth of disk.
package final class SimulatedFileSystem: FileSystem {
    package enum Change {
        case write(position: Int, bytes: [UInt8])
        case resize(Int)
    }

    package struct Inode {
        /// What a read sees.
        package var cache: [UInt8] = []
        /// What is on the platter.
        package var durable: [UInt8] = []
        /// Since the last sync, in order.
        package var unsynced: [Change] = []
    }

    package enum FolderChange {
        case link(name: String, inode: Int)
        case unlink(name: String)
        case rename(from: String, to: String, inode: Int)
    }

    package struct Disk {
        package var inodes: [Int: Inode] = [:]
        package var nextInode = 0
        package var names: [String: Int] = [:]
        package var durableNames: [String: Int] = [:]
        package var folderChanges: [FolderChange] = []
        package var random: SplitMix
        /// Handles of an earlier life are dead.
        package var life = 0
        package var isDead = false
        package var locked: Set<String> = []
        /// Calls that change something, since the beginning.
        package var steps = 0
        package var crashAtStep: Int?
        /// The crash comes so many steps after the next segment gets its name.
        package var crashAfterNewSegment: Int?
        /// Bytes that all files together may have.
        package var capacity = Int.max
        /// Asked before each call: an errno makes it fail.
        package var fault: (@Sendable (FileError.Operation, String) -> Int32?)?
        /// A sync says that all is well, and nothing is on the platter until the disk feels like it.
        package var liesAboutSyncs = false
        package var calls: [FileError.Operation: Int] = [:]
        package var permissions: UInt32 = 0o700
        /// Prints each call, for replaying a seed.
        package var isTraced = false

        package var used: Int {
            names.values.reduce(0) { $0 + (inodes[$1]?.cache.count ?? 0) }
        }
    }

    package let disk: Guarded<Disk>

    package init(seed: UInt64) {
        disk = Guarded(Disk(random: SplitMix(seed: seed)))
    }

    // MARK: What tests do to it

    package var isDead: Bool { disk.withLock { $0.isDead } }

    package func fail(_ fault: (@Sendable (FileError.Operation, String) -> Int32?)?) {
        disk.withLock { $0.fault = fault }
    }

    /// What survives a power loss.
    package enum Survival: CaseIterable {
        case nothing, everything, sectors, bytes
    }

    /// The process dies; the page cache lives on.
    package func killProcess() {
        disk.withLock { disk in
            if disk.isTraced { print("--- the process is gone", disk.names.sorted { $0.key < $1.key }) }
            disk.life += 1
            disk.isDead = false
            disk.crashAtStep = nil
            disk.crashAfterNewSegment = nil
            disk.locked = []
        }
    }

    /// The power goes; what was not synced survives in parts, as the mode says.
    package func losePower(_ survival: Survival? = nil) {
        killProcess()
        disk.withLock { disk in
            let survival = survival ?? Survival.allCases.randomElement(using: &disk.random) ?? .nothing
            if disk.isTraced { print("--- and so is the power:", survival, disk.folderChanges) }
            for change in disk.folderChanges where Self.survives(survival, &disk.random) {
                Self.apply(change, to: &disk.durableNames)
            }
            disk.folderChanges = []
            disk.names = disk.durableNames
            for (number, inode) in disk.inodes {
                var inode = inode
                for change in inode.unsynced {
                    Self.apply(change, to: &inode.durable, survival, &disk.random)
                }
                inode.cache = inode.durable
                inode.unsynced = []
                disk.inodes[number] = inode
            }
            let alive = Set(disk.names.values)
            disk.inodes = disk.inodes.filter { alive.contains($0.key) }
        }
    }

    private static func survives(_ survival: Survival, _ random: inout SplitMix) -> Bool {
        switch survival {
        case .nothing: false
        case .everything: true
        case .sectors, .bytes: random.chance(50)
        }
    }

    private static func apply(_ change: FolderChange, to names: inout [String: Int]) {
        switch change {
        case .link(let name, let inode): names[name] = inode
        case .unlink(let name): names[name] = nil
        case .rename(let from, let to, let inode):
            if names[from] == inode { names[from] = nil }
            names[to] = inode
        }
    }

    private static func apply(
        _ change: Change, to bytes: inout [UInt8], _ survival: Survival, _ random: inout SplitMix
    ) {
        switch (change, survival) {
        case (_, .nothing):
            break
        case (_, .everything):
            apply(change, to: &bytes)
        case (.resize, _):
            if random.chance(50) { apply(change, to: &bytes) }
        case (.write(let position, let written), .bytes):
            let count = Int.random(in: 0...written.count, using: &random)
            apply(.write(position: position, bytes: Array(written[..<count])), to: &bytes)
        case (.write(let position, let written), .sectors):
            var start = 0
            while start < written.count {
                let end = min(written.count, ((position + start) / 512 + 1) * 512 - position)
                if random.chance(60) {
                    apply(.write(position: position + start, bytes: Array(written[start..<end])), to: &bytes)
                }
                start = end
            }
        }
    }

    private static func apply(_ change: Change, to bytes: inout [UInt8]) {
        switch change {
        case .write(let position, let written):
            guard !written.isEmpty else { return }
            let end = position + written.count
            if bytes.count < end { bytes.append(contentsOf: repeatElement(0, count: end - bytes.count)) }
            bytes.replaceSubrange(position..<end, with: written)
        case .resize(let count):
            if bytes.count > count {
                bytes.removeLast(bytes.count - count)
            } else {
                bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
            }
        }
    }

    /// Changes what is stored, as rot does.
    package func corrupt(_ name: String, _ change: (inout [UInt8]) -> Void) {
        disk.withLock { disk in
            guard let number = disk.names[name], var inode = disk.inodes[number] else { return }
            change(&inode.cache)
            inode.durable = inode.cache
            disk.inodes[number] = inode
        }
    }

    package func content(_ name: String) -> [UInt8]? {
        disk.withLock { disk in disk.names[name].flatMap { disk.inodes[$0]?.cache } }
    }

    package func place(_ name: String, _ content: [UInt8]) {
        disk.withLock { disk in
            disk.inodes[disk.nextInode] = Inode(cache: content, durable: content)
            disk.names[name] = disk.nextInode
            disk.durableNames[name] = disk.nextInode
            disk.nextInode += 1
        }
    }

    package func delete(_ name: String) {
        disk.withLock { disk in
            disk.names[name] = nil
            disk.durableNames[name] = nil
        }
    }

    package var names: [String] { disk.withLock { $0.names.keys.sorted() } }
    package var segmentNames: [String] { names.filter { $0.hasSuffix(".segment") } }

    // MARK: Calls

    private func name(_ path: String) -> String {
        String(path.split(separator: "/").last ?? "")
    }

    /// Runs a call that changes nothing.
    private func ask<R>(
        _ operation: FileError.Operation, _ path: String, life: Int? = nil, _ body: (inout Disk) -> R?
    ) throws(FileError) -> R {
        let outcome = disk.withLock { disk -> Result<R, FileError> in
            if let error = Self.gate(&disk, operation, path, life) { return .failure(error) }
            guard let result = body(&disk) else {
                return .failure(FileError(errno: ENOENT, operation: operation, path: path))
            }
            return .success(result)
        }
        return try outcome.get()
    }

    private static func gate(
        _ disk: inout Disk, _ operation: FileError.Operation, _ path: String, _ life: Int?
    ) -> FileError? {
        disk.calls[operation, default: 0] += 1
        if disk.isTraced { print(disk.steps, operation.rawValue, path, disk.isDead ? "(dead)" : "") }
        if disk.isDead || (life ?? disk.life) != disk.life {
            return FileError(errno: EIO, operation: operation, path: path)
        }
        if let code = disk.fault?(operation, path) { return FileError(errno: code, operation: operation, path: path) }
        return nil
    }

    /// Runs a call that changes something. If the crash comes now, the change happens in part, fully or not at all,
    /// and nothing works any more.
    private func change(
        _ operation: FileError.Operation, _ path: String, life: Int? = nil, newName: String? = nil,
        failing: (inout Disk) -> Void = { _ in }, _ body: (inout Disk, _ isCrashing: Bool) -> Int32
    ) throws(FileError) {
        let error = disk.withLock { disk -> FileError? in
            if let error = Self.gate(&disk, operation, path, life) {
                if !disk.isDead && (life ?? disk.life) == disk.life { failing(&disk) }
                return error
            }
            disk.steps += 1
            if let more = disk.crashAfterNewSegment, newName?.hasSuffix(".segment") == true {
                disk.crashAfterNewSegment = nil
                disk.crashAtStep = disk.steps + more
            }
            if let step = disk.crashAtStep, disk.steps >= step {
                if disk.random.chance(70) { _ = body(&disk, true) }
                disk.isDead = true
                return FileError(errno: EIO, operation: operation, path: path)
            }
            let code = body(&disk, false)
            return code == 0 ? nil : FileError(errno: code, operation: operation, path: path)
        }
        if let error { throw error }
    }

    package func makeFolder(_ path: String) throws(FileError) {}

    package func permissions(of path: String) throws(FileError) -> UInt32 { disk.withLock { $0.permissions } }

    package func list(_ folder: String) throws(FileError) -> [String] {
        try ask(.list, folder) { Array($0.names.keys) }
    }

    package func open(_ path: String, _ access: FileAccess) throws(FileError) -> any File {
        let name = name(path)
        let (inode, life) = try ask(.open, path) { disk in disk.names[name].map { ($0, disk.life) } }
        return SimulatedFile(system: self, inode: inode, life: life, path: path)
    }

    package func create(_ path: String) throws(FileError) -> any File {
        let name = name(path)
        var made = (inode: 0, life: 0)
        try change(.create, path, newName: name) { disk, _ in
            guard disk.names[name] == nil else { return EEXIST }
            made = (disk.nextInode, disk.life)
            disk.inodes[disk.nextInode] = Inode()
            disk.names[name] = disk.nextInode
            disk.folderChanges.append(.link(name: name, inode: disk.nextInode))
            disk.nextInode += 1
            return 0
        }
        return SimulatedFile(system: self, inode: made.inode, life: made.life, path: path)
    }

    package func lock(_ path: String) throws(FileError) -> (any FileLock)? {
        let name = name(path)
        let lock = disk.withLock { disk -> SimulatedLock? in
            guard disk.locked.insert(name).inserted else { return nil }
            return SimulatedLock(system: self, name: name, life: disk.life)
        }
        return lock
    }

    package func rename(_ path: String, to newPath: String) throws(FileError) {
        let (from, to) = (name(path), name(newPath))
        try change(.rename, path, newName: to) { disk, _ in
            guard let inode = disk.names[from] else { return ENOENT }
            disk.names[from] = nil
            disk.names[to] = inode
            disk.folderChanges.append(.rename(from: from, to: to, inode: inode))
            return 0
        }
    }

    package func remove(_ path: String) throws(FileError) {
        let name = name(path)
        try change(.remove, path) { disk, _ in
            guard disk.names[name] != nil else { return ENOENT }
            disk.names[name] = nil
            disk.folderChanges.append(.unlink(name: name))
            return 0
        }
    }

    package func syncFolder(_ path: String) throws(FileError) {
        try change(.syncFolder, path) { disk, _ in
            guard !disk.liesAboutSyncs else { return 0 }
            disk.durableNames = disk.names
            disk.folderChanges = []
            return 0
        }
    }

    package func space(at path: String) throws(FileError) -> (total: UInt64, free: UInt64) {
        disk.withLock { disk in
            let total = disk.capacity == .max ? 1 << 40 : disk.capacity
            return (UInt64(total), UInt64(max(0, total - disk.used)))
        }
    }

    // MARK: Files

    fileprivate func size(_ file: SimulatedFile) throws(FileError) -> UInt64 {
        try ask(.open, file.path, life: file.life) { $0.inodes[file.inode].map { UInt64($0.cache.count) } }
    }

    fileprivate func read(
        _ file: SimulatedFile, _ position: UInt64, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(FileError) -> Int {
        try ask(.read, file.path, life: file.life) { disk in
            guard let cache = disk.inodes[file.inode]?.cache else { return nil }
            let start = min(Int(position), cache.count)
            let count = min(buffer.count, cache.count - start)
            cache.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
            }
            return count
        }
    }

    fileprivate func write(
        _ file: SimulatedFile, _ position: UInt64, _ pieces: [UnsafeRawBufferPointer]
    ) throws(FileError) {
        var bytes: [UInt8] = []
        for piece in pieces { bytes.append(contentsOf: piece) }
        try change(
            .write, file.path, life: file.life,
            failing: { disk in
                // A write that fails may have written any part.
                let count = Int.random(in: 0...bytes.count, using: &disk.random)
                Self.record(.write(position: Int(position), bytes: Array(bytes[..<count])), file.inode, &disk)
            }
        ) { disk, isCrashing in
            var written = bytes
            var code: Int32 = 0
            if isCrashing {
                written = Array(bytes[..<Int.random(in: 0...bytes.count, using: &disk.random)])
            }
            let size = disk.inodes[file.inode]?.cache.count ?? 0
            let growth = Int(position) + written.count - size
            if growth > 0, disk.used + growth > disk.capacity {
                let fits = max(0, written.count - (disk.used + growth - disk.capacity))
                written = Array(written[..<fits])
                code = ENOSPC
            }
            Self.record(.write(position: Int(position), bytes: written), file.inode, &disk)
            return code
        }
    }

    fileprivate func allocate(_ file: SimulatedFile, _ length: UInt64) throws(FileError) {
        try change(.allocate, file.path, life: file.life) { disk, _ in
            let growth = Int(length) - (disk.inodes[file.inode]?.cache.count ?? 0)
            guard growth > 0 else { return 0 }
            guard disk.used + growth <= disk.capacity else { return ENOSPC }
            Self.record(.resize(Int(length)), file.inode, &disk)
            return 0
        }
    }

    fileprivate func truncate(_ file: SimulatedFile, _ length: UInt64) throws(FileError) {
        try change(.truncate, file.path, life: file.life) { disk, _ in
            Self.record(.resize(Int(length)), file.inode, &disk)
            return 0
        }
    }

    fileprivate func sync(_ file: SimulatedFile) throws(FileError) {
        try change(
            .sync, file.path, life: file.life,
            failing: { disk in
                // Parts of it reach the disk. Linux marks all pages clean: readers go on seeing the rest, and the
                // next sync has nothing to do and says that all is well.
                guard var inode = disk.inodes.removeValue(forKey: file.inode) else { return }
                for change in inode.unsynced { Self.apply(change, to: &inode.durable, .sectors, &disk.random) }
                inode.unsynced = []
                disk.inodes[file.inode] = inode
            }
        ) { disk, isCrashing in
            guard !disk.liesAboutSyncs else { return 0 }
            guard var inode = disk.inodes[file.inode] else { return EIO }
            for change in inode.unsynced { Self.apply(change, to: &inode.durable) }
            inode.unsynced = []
            disk.inodes[file.inode] = inode
            return 0
        }
    }

    private static func record(_ change: Change, _ number: Int, _ disk: inout Disk) {
        // Taken out and put back, so that the content is changed in place and not copied.
        guard var inode = disk.inodes.removeValue(forKey: number) else { return }
        apply(change, to: &inode.cache)
        inode.unsynced.append(change)
        disk.inodes[number] = inode
    }

    fileprivate func unlock(_ name: String, life: Int) {
        disk.withLock { disk in
            if disk.life == life { disk.locked.remove(name) }
        }
    }
}

private final class SimulatedFile: File {
    let system: SimulatedFileSystem
    let inode: Int
    let life: Int
    let path: String

    init(system: SimulatedFileSystem, inode: Int, life: Int, path: String) {
        self.system = system
        self.inode = inode
        self.life = life
        self.path = path
    }

    func size() throws(FileError) -> UInt64 { try system.size(self) }
    func read(at position: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        try system.read(self, position, buffer)
    }
    func write(at position: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(FileError) {
        try system.write(self, position, pieces)
    }
    func allocate(_ length: UInt64) throws(FileError) { try system.allocate(self, length) }
    func truncate(to length: UInt64) throws(FileError) { try system.truncate(self, length) }
    func sync() throws(FileError) { try system.sync(self) }
}

private final class SimulatedLock: FileLock {
    let system: SimulatedFileSystem
    let name: String
    let life: Int

    init(system: SimulatedFileSystem, name: String, life: Int) {
        self.system = system
        self.name = name
        self.life = life
    }

    func release() { system.unlock(name, life: life) }
    deinit { release() }
}
