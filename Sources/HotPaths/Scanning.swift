// Line protocol, checked and measured in one pass.

import LineProtocol

enum Scanning {
    /// Lines as an agent writes them.
    static func agent(lines: Int) -> HotPath {
        let body = agentLines(lines)
        return HotPath("scan-\(lines)", "checks \(lines) lines of an agent", bytes: body.count) {
            { scan(body, expecting: lines) }
        }
    }

    /// Lines with all that the grammar has: escapes, strings, integers, booleans, exponents, times that are missing.
    static func mixed(lines: Int) -> HotPath {
        let body = mixedLines(lines)
        return HotPath("scan-mixed-\(lines)", "checks \(lines) lines of all kinds", bytes: body.count) {
            { scan(body, expecting: lines) }
        }
    }

    static func agentLines(_ count: Int) -> [UInt8] {
        (0..<count).flatMap { line in
            Array(
                """
                cpu,cpu=cpu\(line % 8),host=server\(line % 90 + 10) usage_idle=9\(line % 8).237,\
                usage_system=3.2\(line % 7),usage_user=5.\(line % 9)1 \(1_700_000_000_000_000_000 + line)

                """.utf8)
        }
    }

    private static func mixedLines(_ count: Int) -> [UInt8] {
        let tags = ["", ",host=a", ",host=b\\ c,path=/dev/sda1", ",k\\=1=v\\,2,z=ü"]
        let fields = [
            "v=1", "v=-1.5e-7", "v=12i", "v=t", "v=\"a text\"", "v=\"with \\\"quotes\\\", and = commas\"",
            "used=123456789012i,free=1i,used_percent=99.99999999999", "a=1,b=2,c=3,d=4,e=5,f=6",
        ]
        return (0..<count).flatMap { line in
            let time = line % 5 == 0 ? "" : " \(1_700_000_000_000_000_000 + line * 1_000_003)"
            let measurement = ["m", "disk\\ io", "a_long_name_of_a_measurement"][line % 3]
            return Array("\(measurement)\(tags[line % 4]) \(fields[line * 7 % 8])\(time)\n".utf8)
        }
    }

    private static func scan(_ body: [UInt8], expecting lines: Int) {
        var scanner = LineScanner(precision: .nanoseconds, arrivalTime: 1_700_000_000_000_000_000)
        body.withUnsafeBytes { bytes in
            while case .yielded = scanner.scan(bytes, isFinal: true) {}
        }
        precondition(scanner.result.lines == lines)
    }
}
