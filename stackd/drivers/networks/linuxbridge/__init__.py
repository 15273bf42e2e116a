"""The network driver for one Linux host: bridges, router namespaces, dnsmasq and nftables."""
