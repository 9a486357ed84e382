// Reads what a node holds. The schema is read whole; points are counted until the time for it is used up.

import Cluster
import InfluxQL
import NIOCore

extension NodeInterview {
    package struct InventoryOptions: Sendable {
        /// Count points before this time only (nanoseconds since 1970), so that nodes that are being written to can be
        /// compared; nil: all.
        package var before: Int64?
        /// For all counting together.
        package var countingTime: TimeAmount = .seconds(60)
        /// Whose points are counted; nil: all.
        package var only: Set<Inventory.Source>?

        package init() {}
    }

    package func inventory(_ options: InventoryOptions = InventoryOptions()) -> EventLoopFuture<Inventory> {
        userDatabases().assumeIsolated().flatMap { names in
            self.schema(of: names)
        }.flatMap { inventory in
            self.addUsers(to: inventory)
        }.flatMap { inventory in
            self.count(inventory, options)
        }.nonisolated()
    }

    // MARK: Schema

    private func schema(of names: [String]) -> EventLoopFuture<Inventory> {
        let lists = ask("SHOW CONTINUOUS QUERIES").and(ask("SHOW SUBSCRIPTIONS"))
        return lists.assumeIsolated().flatMap { queries, subscriptions in
            self.fold(names, into: Inventory()) { inventory, name in
                var inventory = inventory
                return self.ask("SHOW RETENTION POLICIES ON \(Quoting.identifier(name))").assumeIsolated().flatMap {
                    policies in
                    var database = Inventory.Database()
                    database.policies = Self.policies(policies)
                    for series in queries where series.name == name {
                        for row in series.values where row.count >= 2 {
                            database.continuousQueries[row[0].string ?? ""] = row[1].string ?? ""
                        }
                    }
                    database.subscriptions = subscriptions.filter { $0.name == name }.flatMap(Self.subscriptions)
                    inventory.names.append(name)
                    inventory.databases[name] = database
                    return self.addFields(to: inventory, of: name, database.policies.map(\.name))
                }.nonisolated()
            }
        }.nonisolated()
    }

    private static func policies(_ series: [QuerySeries]) -> [Inventory.Policy] {
        (series.first?.values ?? []).compactMap { row in
            guard row.count >= 5 else { return nil }
            var replicas = ""
            if case .number(let text) = row[3] { replicas = text }
            return Inventory.Policy(
                name: row[0].string ?? "", duration: row[1].string ?? "", shardDuration: row[2].string ?? "",
                replicas: replicas, isDefault: row[4].bool ?? false)
        }
    }

    private static func subscriptions(_ series: QuerySeries) -> [Inventory.Subscription] {
        series.values.compactMap { row in
            guard row.count >= 4 else { return nil }
            return Inventory.Subscription(
                policy: row[0].string ?? "", name: row[1].string ?? "", mode: row[2].string ?? "",
                destinations: (row[3].array ?? []).compactMap(\.string).sorted().joined(separator: ", "))
        }
    }

    private func addFields(
        to inventory: Inventory, of database: String, _ policies: [String]
    ) -> EventLoopFuture<Inventory> {
        fold(policies, into: inventory) { inventory, policy in
            let statement =
                "SHOW FIELD KEYS ON \(Quoting.identifier(database)) FROM \(Quoting.identifier(policy))./.*/"
            return self.ask(statement).map { fields in
                var inventory = inventory
                for series in fields {
                    let source = Inventory.Source(database: database, policy: policy, measurement: series.name)
                    var measurement = inventory.measurements[source] ?? Inventory.Measurement()
                    for row in series.values where row.count >= 2 {
                        measurement.types[row[0].string ?? "", default: []].insert(row[1].string ?? "")
                    }
                    inventory.measurements[source] = measurement
                }
                return inventory
            }
        }
    }

    // MARK: Users

    private func addUsers(to inventory: Inventory) -> EventLoopFuture<Inventory> {
        ask("SHOW USERS").assumeIsolated().flatMap { series in
            let rows = series.first?.values ?? []
            return self.fold(rows, into: [String: Inventory.User]()) { users, row in
                let name = row.first?.string ?? ""
                let isAdmin = row.count > 1 ? row[1].bool ?? false : false
                return self.ask("SHOW GRANTS FOR \(Quoting.identifier(name))").map { grants in
                    var users = users
                    var all: [String: String] = [:]
                    for row in grants.first?.values ?? [] where row.count >= 2 {
                        // InfluxDB keeps an entry for what was revoked.
                        let privilege = row[1].string ?? ""
                        if privilege != "NO PRIVILEGES" { all[row[0].string ?? ""] = privilege }
                    }
                    users[name] = Inventory.User(name: name, isAdmin: isAdmin, grants: all)
                    return users
                }
            }
        }.nonisolated().map { users in
            var inventory = inventory
            inventory.users = users
            return inventory
        }.flatMapErrorThrowing { error in
            guard let failure = error as? InterviewFailure, failure.kind != .unreachable else { throw error }
            var inventory = inventory
            inventory.gaps.append("users and grants cannot be read: \(failure)")
            return inventory
        }
    }

    // MARK: Points

    private func count(_ inventory: Inventory, _ options: InventoryOptions) -> EventLoopFuture<Inventory> {
        let end = eventLoop.now + options.countingTime
        let sources = inventory.measurements.keys.filter { options.only?.contains($0) ?? true }.sorted()
        return fold(sources, into: inventory) { inventory, source in
            let left = end - self.eventLoop.now
            guard left > .zero else {
                var inventory = inventory
                inventory.gaps.append("\(source): points not counted, the time for counting was used up")
                return self.eventLoop.makeSucceededFuture(inventory)
            }
            return self.points(of: source, before: options.before, within: left).map { points in
                var inventory = inventory
                inventory.measurements[source]?.points = points
                return inventory
            }.flatMapErrorThrowing { error in
                var inventory = inventory
                inventory.gaps.append("\(source): points not counted: \(error)")
                return inventory
            }
        }
    }

    /// Calls `step` for one item after the other.
    func fold<Item: Sendable, Result: Sendable>(
        _ items: [Item], into initial: Result,
        _ step: @escaping (Result, Item) -> EventLoopFuture<Result>
    ) -> EventLoopFuture<Result> {
        let promise = eventLoop.makePromise(of: Result.self)
        func next(_ index: Int, _ result: Result) {
            guard index < items.count else { return promise.succeed(result) }
            step(result, items[index]).assumeIsolated().whenComplete { outcome in
                switch outcome {
                case .success(let result): next(index + 1, result)
                case .failure(let error): promise.fail(error)
                }
            }
        }
        next(0, initial)
        return promise.futureResult
    }
}
