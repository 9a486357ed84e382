// sluice doctor: whether InfluxDB nodes can be used together, and hold the same.
import ArgumentParser
import Foundation
import NIOCore
import Operations

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look at InfluxDB nodes: versions, clocks, settings, and data that differs. Changes nothing.",
        discussion: "Exits with 0 when nothing was found, 1 when something was, 2 when a node could not be looked at.")

    static let couldNotLook = ExitCode(2)

    @Option(name: .customLong("node"), help: ArgumentHelp("A node; repeat it for each.", valueName: "name=url"))
    var nodes: [String]

    @Option(help: "An InfluxDB user with all privileges, where the nodes ask for one.")
    var username: String?

    @Option(help: "File with that user's password in its first line.")
    var passwordFile: String?

    @Option(help: "PEM file with the authorities of nodes with an https url.")
    var ca: String?

    @Flag(help: "Also read all points and compare them, not only their number.")
    var deep = false

    @Option(help: "How long each node may count points, and again read them.")
    var seconds = 60

    @Flag(help: "Print JSON; keys are only ever added.")
    var json = false

    func validate() throws {
        guard (1...86_400).contains(seconds) else { throw ValidationError("--seconds is a number from 1 to 86400") }
        guard passwordFile == nil || username != nil else {
            throw ValidationError("--password-file needs --username")
        }
    }

    func run() async throws {
        let report: DoctorReport
        do {
            var options = Doctor.Options()
            options.username = username
            options.isDeep = deep
            options.authorities = ca
            options.time = .seconds(Int64(seconds))
            if let passwordFile {
                let text = try String(contentsOfFile: passwordFile, encoding: .utf8)
                options.password = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            }
            report = try await Doctor(nodes: Doctor.parseNodes(nodes), options: options).examine()
            if json {
                Terminal.show(String(decoding: try AdminJSON.encode(report, pretty: true), as: UTF8.self) + "\n")
            } else {
                Terminal.show(DoctorText.render(report))
            }
        } catch {
            Terminal.complain("sluice: \(error)")
            throw Self.couldNotLook
        }
        if report.exitCode != 0 { throw ExitCode(report.exitCode) }
    }
}
