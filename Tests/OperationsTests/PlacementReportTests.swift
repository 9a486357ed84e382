// What `sluice placement` says.
import Foundation
import Operations
import Testing

private func configuration(_ placement: String) -> Configuration {
    var input = ConfigurationInput()
    input.file = (
        "p.yaml",
        """
        nodes:
          - {name: a, url: http://10.0.0.1:8086, zone: dc1}
          - {name: b, url: http://10.0.0.2:8086, zone: dc2, weight: 2}
          - {name: c, url: http://10.0.0.3:8086, zone: dc2}
          - {name: far, url: http://10.0.0.4:8086, role: async}
        \(placement)
        """
    )
    let loaded = ConfigurationLoader.load(input)
    #expect(loaded.errors == [])
    return loaded.configuration
}

private let mixed = configuration(
    """
    placement:
      measurements: {cpu: [a, far]}
      patterns: [{match: "disk*", on: [b, c]}]
      databases: {iot: {measurements: {cpu: all}, default: {hash: {replicas: 2}}}}
    """)

private let hashed = configuration("placement: {default: {hash: {replicas: 2}}}")
private let thousand = (0..<1_000).map { "measurement_\($0)" }

@Suite("What the placement commands say")
struct PlacementReportTests {
    @Test("explain names nodes with zone and role, and the rule by its place in the file")
    func explain() {
        let explanation = PlacementExplanation(
            of: ["cpu", "disk.sda", "other"], database: "telegraf", configuration: mixed)
        #expect(!explanation.isPlaced)
        #expect(
            explanation.text == """
                MEASUREMENT  NODES                 RULE
                cpu          a (dc1), far (async)  placement.measurements.cpu: a, far
                disk.sda     b (dc2), c (dc2)      placement.patterns."disk*": b, c
                other        -                     no rule places it: its points are refused

                """)
        let own = PlacementExplanation(of: ["cpu", "other"], database: "iot", configuration: mixed)
        #expect(own.isPlaced)
        #expect(
            own.text == """
                MEASUREMENT  NODES                                   RULE
                cpu          a (dc1), b (dc2), c (dc2), far (async)  placement.databases.iot.measurements.cpu: all nodes
                other        a (dc1), c (dc2)                        placement.databases.iot.default: hash: 2 of all normal nodes

                """)
    }

    @Test("explain in JSON")
    func explainJSON() throws {
        let explanation = PlacementExplanation(of: ["disk", "x"], database: "t", configuration: mixed)
        let json = String(decoding: try AdminJSON.encode(explanation), as: UTF8.self)
        #expect(
            json
                == #"{"database":"t","measurements":[{"measurement":"disk","nodes":[{"name":"b","role":"normal","zone":"dc2"},{"name":"c","role":"normal","zone":"dc2"}],"rule":{"name":"placement.patterns.\"disk*\"","target":"b, c"}},{"measurement":"x","nodes":[]}]}"#
        )
    }

    @Test("without placement explain says that all nodes hold everything")
    func noPlacement() {
        let explanation = PlacementExplanation(of: ["cpu"], database: "t", configuration: configuration(""))
        #expect(explanation.text.contains("none: all nodes hold everything"))
        #expect(explanation.isPlaced)
    }

    @Test("simulate shows what each node holds")
    func simulate() throws {
        let simulation = try PlacementSimulation(
            of: thousand + ["measurement_1"], database: "", configuration: hashed)
        #expect(simulation.measurements == 1_000 && simulation.copies == 2_000)
        #expect(simulation.nodes.map(\.name) == ["a", "b", "c", "far"])
        #expect(
            simulation.text == """
                1,000 measurements, 2,000 copies

                NODE  ZONE  WEIGHT  HOLDS   SHARE
                a     dc1        1  1,000  50.0 %
                b     dc2        2    666  33.3 %
                c     dc2        1    334  16.7 %
                far   -          1      0   0.0 %

                """)
    }

    @Test("simulate shows what a node that comes and one that goes would move")
    func change() throws {
        let simulation = try PlacementSimulation(
            of: thousand, database: "iot", configuration: hashed, without: ["c"],
            with: [SimulatedNode(parsing: "d=dc3:0.5")])
        #expect(
            simulation.text == """
                1,000 measurements of iot, 2,000 copies now, 2,000 then

                NODE  ZONE  WEIGHT    NOW   SHARE  THEN   SHARE
                a     dc1        1  1,000  50.0 %   696  34.8 %
                b     dc2        2    668  33.4 %   904  45.2 %
                c     dc2        1    332  16.6 %     -       -
                far   -          1      0   0.0 %     0   0.0 %
                d     dc3      0.5      -       -   400  20.0 %

                582 measurements (58.2 %) would have to be copied to a node that does not hold them now:
                673 copies (33.6 % of all then).

                """)
        let json = String(decoding: try AdminJSON.encode(simulation), as: UTF8.self)
        #expect(json.contains(#""moved_copies":"#))
        #expect(json.contains(#""name":"d","role":"normal","share_then":"#), "\(json)")
    }

    @Test("what no rule places is counted, with an example")
    func unplaced() throws {
        let simulation = try PlacementSimulation(of: ["cpu", "x", "y"], database: "t", configuration: mixed)
        #expect(simulation.unplaced == 2)
        #expect(simulation.text.hasSuffix("No rule places 2 of them, such as x: their points are refused.\n"))
    }

    @Test("a list of nodes loses the one that goes, and may be left without any")
    func lists() throws {
        let simulation = try PlacementSimulation(
            of: ["cpu", "disk"], database: "t", configuration: mixed, without: ["b", "c"])
        #expect(simulation.copies == 4 && simulation.change?.copies == 2)
        #expect(simulation.change?.unplaced == 1 && simulation.change?.movedCopies == 0)
        #expect(simulation.text.contains("1 more would lie nowhere: the nodes of their rules are gone."))
    }

    @Test(
        "what cannot come or go is said",
        arguments: [
            ([], "a", "there is a node a already"), (["x"], "", "there is no node x that could leave"),
            ([], "x:heavy", "the weight in \"x:heavy\": \"heavy\" is not a number from 0.001 to 1000"),
            ([], "x y", "the node name \"x y\" cannot be used"), (["a", "b", "c", "far"], "", "no node would be left"),
        ])
    func faults(without: [String], with text: String, expected: String) {
        do throws(ValueFault) {
            let coming = text.isEmpty ? [] : [try SimulatedNode(parsing: text)]
            _ = try PlacementSimulation(
                of: ["m"], database: "", configuration: hashed, without: without, with: coming)
            Issue.record("no fault")
        } catch {
            #expect(error.what == expected)
        }
    }

    @Test(
        "a node that comes is a name with a zone and a weight, or without",
        arguments: [
            ("e", "e", "", 1.0), ("e=dc3", "e", "dc3", 1), ("e:2", "e", "", 2), ("e=dc3:0.5", "e", "dc3", 0.5),
        ])
    func coming(text: String, name: String, zone: String, weight: Double) throws {
        let node = try SimulatedNode(parsing: text)
        #expect(node.name == name && node.zone == zone && node.weight == weight)
    }
}
