// A simulation of placement for people.
import Foundation

extension PlacementSimulation {
    package var text: String {
        var lines = [heading, ""]
        lines += table
        lines.append("")
        if let change { lines += sentences(change) }
        if unplaced > 0 {
            lines.append(
                "No rule places \(Self.grouped(unplaced)) of them, such as \(firstUnplaced ?? ""): their points are refused."
            )
        }
        while lines.last == "" { lines.removeLast() }
        return lines.joined(separator: "\n") + "\n"
    }

    private var heading: String {
        let place = database.isEmpty ? "" : " of \(database)"
        let then = change.map { " now, \(Self.grouped($0.copies)) then" } ?? ""
        return "\(Self.grouped(measurements)) measurement\(measurements == 1 ? "" : "s")\(place), "
            + "\(Self.grouped(copies)) copies\(then)"
    }

    private var table: [String] {
        let isChange = change != nil
        var table = TextTable(
            columns: ["NODE", "ZONE", ">WEIGHT", isChange ? ">NOW" : ">HOLDS", ">SHARE"]
                + (isChange ? [">THEN", ">SHARE"] : []))
        for node in nodes {
            let count = { (count: Int?) in count.map(Self.grouped) ?? "-" }
            let share = { (share: Double?) in share.map(Self.percent) ?? "-" }
            table.add(
                [
                    node.name, node.zone.isEmpty ? "-" : node.zone, String(format: "%g", node.weight),
                    count(node.measurements), share(node.share),
                ] + (isChange ? [count(node.measurementsThen), share(node.shareThen)] : []))
        }
        return table.lines()
    }

    private func sentences(_ change: Change) -> [String] {
        guard change.movedMeasurements > 0 else { return ["Nothing would have to be copied."] + fewer(change) }
        return [
            "\(Self.grouped(change.movedMeasurements)) measurements (\(Self.percent(change.movedMeasurementsShare))) "
                + "would have to be copied to a node that does not hold them now:",
            "\(Self.grouped(change.movedCopies)) copies (\(Self.percent(change.movedCopiesShare)) of all then).",
        ] + fewer(change)
    }

    private func fewer(_ change: Change) -> [String] {
        let thinned =
            change.withFewerCopies > 0
            ? ["\(Self.grouped(change.withFewerCopies)) measurements would have fewer copies than now."] : []
        let lost =
            change.unplaced > unplaced
            ? ["\(Self.grouped(change.unplaced - unplaced)) more would lie nowhere: the nodes of their rules are gone."]
            : []
        return thinned + lost
    }

    private static func grouped(_ number: Int) -> String { StatusText.grouped(UInt64(max(0, number))) }
    private static func percent(_ share: Double) -> String { String(format: "%.1f %%", share) }
}
