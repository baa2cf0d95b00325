"""The contract of a navigation task, written once: what may be set, the words, the record, the bodies of requests.

The NavTask's schema, the VLN API, the operator's reading of records and the tests' stand-in are made of it; the client,
which stands alone, is compared with it."""
