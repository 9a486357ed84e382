// InfluxDB copies its error text into a header field, and error texts quote the client's own bytes: a control character
// in a measurement's name comes back in the head of a 400. Decoders refuse such a head, the answer would be lost, and the
// record that caused it would be sent for ever. So control characters in heads become blanks before they are decoded.
import NIOCore

final class ResponseHeadCleaner: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// How many bytes of the blank line that ends a head have just passed; nil: not within a head.
    private var matched: Int?

    /// The next bytes are the head of a response.
    func expectHead() { matched = 0 }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard matched != nil else { return context.fireChannelRead(data) }
        var bytes = unwrapInboundIn(data)
        clean(&bytes)
        context.fireChannelRead(wrapInboundOut(bytes))
    }

    func clean(_ bytes: inout ByteBuffer) {
        var toReplace: [Int] = []
        bytes.withUnsafeReadableBytes { bytes in
            for (position, byte) in bytes.enumerated() {
                guard let count = matched else { return }
                switch byte {
                case UInt8(ascii: "\r"):
                    matched = count == 2 ? 3 : 1
                case UInt8(ascii: "\n"):
                    matched = count == 1 ? 2 : count == 3 ? nil : 0
                default:
                    matched = 0
                    if byte < 0x20 && byte != UInt8(ascii: "\t") || byte == 0x7F { toReplace.append(position) }
                }
            }
        }
        for position in toReplace { bytes.setInteger(UInt8(ascii: " "), at: bytes.readerIndex + position) }
    }
}
