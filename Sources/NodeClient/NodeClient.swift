// The overview of this target: how the gateway speaks HTTP/1.1 to one InfluxDB node.
//
// A `NodePool` belongs to one event loop and one node. Everything in it happens on that loop: no lock, no hop, no task.
//
//     pool.send(request, to: receiver)            // -> NodeExchange, which can be cancelled or paused
//     receiver.responseHead / responseBody*       // as the bytes come
//     receiver.responseEnd | responseFailed       // exactly one of the two, once
//
// - `NodePoolState` decides (which connection, connect, wait, refuse). It is a value without I/O and without a clock.
// - `NodePool` is the shell around it: it opens sockets, keeps one timer and carries out what the state says.
// - `NodeConnection` is the channel handler of one connection: prepared bytes out, the decoder of responses (HTTPCodec) in.
//
// What the rest of the gateway builds on:
// - `NodeFailure.notSent` means that the node cannot have acted on the request; `afterSend` means that nobody knows.
// - Nothing is ever sent twice: a failed exchange is reported, never repeated here.
// - Without time-outs in `ExchangeOptions` an exchange lasts as long as its connection does. A host that vanished is
//   found by TCP keep-alive and the TCP user time-out (`NodePoolLimits`).
