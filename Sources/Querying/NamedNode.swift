// How a client says that one node is to answer, and for how long it may try.

package enum NamedNode {
    package static let header = "X-Sluice-Node"
    package static let parameter = "sluice_node"
}

package enum QueryTimeout {
    package static let header = "X-Sluice-Timeout"
    package static let parameter = "sluice_timeout"
}
