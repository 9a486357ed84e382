// How a command finds the gateway and, when it changes something, the admin token.
import ArgumentParser
import Foundation
import Operations

struct AdminOptions: ParsableArguments {
    static let defaultAddress = Configuration().admin.description

    @Option(help: "Admin address of the gateway, 127.0.0.1:8087 if not said; also SLUICE_ADMIN.")
    var admin: String?

    var address: String { admin ?? ProcessInfo.processInfo.environment["SLUICE_ADMIN"] ?? Self.defaultAddress }
    var client: AdminClient { AdminClient(address: address) }
}

/// For commands that change something.
struct ChangeOptions: ParsableArguments {
    @OptionGroup var admin: AdminOptions

    @Option(help: "File that holds the admin token; the token itself may be in SLUICE_ADMIN_TOKEN.")
    var tokenFile: String?

    @Option(help: "Data folder of the gateway, where its admin.token lies; also SLUICE_DATA_DIR.")
    var dataDir: String?

    func client() throws -> AdminClient {
        AdminClient(address: admin.address, token: try token())
    }

    private func token() throws -> AdminToken {
        let environment = ProcessInfo.processInfo.environment
        if let tokenFile { return try AdminToken(file: tokenFile) }
        if dataDir == nil, let text = environment["SLUICE_ADMIN_TOKEN"], !text.isEmpty { return AdminToken(text: text) }
        let folder = dataDir ?? environment["SLUICE_DATA_DIR"] ?? Configuration().dataDirectory
        return try AdminToken(file: folder + "/" + AdminToken.fileName)
    }
}

/// For what cannot be undone.
struct Consent: ParsableArguments {
    @Flag(help: "Do it. Without this the command only says what it would do.")
    var yes = false
}
