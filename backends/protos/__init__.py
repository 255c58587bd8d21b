"""The services' protobuf contracts and the code generated from them."""
