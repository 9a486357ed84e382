// Why bytes are not the message that was expected.

package enum HTTPSyntaxError: Error, Equatable, Sendable {
    /// A start line, a field, or a length that can be read in two ways.
    case malformed
    /// More bytes or fields than the limits allow.
    case headTooLarge
    /// A well-formed version that is neither 1.0 nor 1.1.
    case unsupportedVersion
    /// A transfer coding other than `chunked` alone.
    case unsupportedTransferEncoding
    /// A chunk whose size is no number, or too large for one.
    case malformedChunkSize
    /// A chunk that does not end where its size says, or a broken trailer.
    case malformedBody
    /// Bytes of a response that no request asked for.
    case unrequested
    /// The connection ended within a message.
    case unexpectedEnd
}
