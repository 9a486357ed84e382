// sluice serve: runs the gateway until SIGTERM or SIGINT.
import ArgumentParser
import Logging
import Operations

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the gateway.",
        discussion: """
            Stops gracefully on SIGTERM or SIGINT: requests under way are finished, everything is flushed.
            On SIGHUP certificates and keys are read again. Takes sockets that systemd passes (LISTEN_FDS).

              sluice serve --config sluice.yaml
              sluice serve --node a=http://10.0.0.1:8086 --node b=http://10.0.0.2:8086
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        // Before anything else: nobody else may get them.
        let passed = PassedSocket.take()
        let configuration = try options.load().configuration
        let level = Logger.Level(rawValue: configuration.logLevel.rawValue) ?? .info
        let logger = Logger(label: "sluice") { _ in LineLogHandler(level: level) }
        try await Terminal.run {
            try await Serve.run(configuration: configuration, logger: logger) { configuration, logger in
                try await GatewayDataPlane.start(configuration: configuration, logger: logger, passed: passed)
            }
        }
    }
}
