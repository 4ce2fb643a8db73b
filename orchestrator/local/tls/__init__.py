"""HTTPS on loopback: a certificate authority of one's own and what it vouches for."""
