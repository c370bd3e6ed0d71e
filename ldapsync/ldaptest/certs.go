package ldaptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certs names the PEM files of a certificate authority of one test, and of what
// it signed.
type Certs struct {
	CA                    string // file of the authority
	Server, ServerKey     string // for localhost and the address of the server
	Client, ClientKey     string // for CN=sync-reader
	OtherHost, OtherHostK string // valid, but for other.example.test
}

// Realm is a domain whose hosts have the servers' certificate, for names in a
// [DNS].
const Realm = "corp.example.test"

// WriteCerts makes a certificate authority and certificates in dir. The
// server's names localhost, the hosts of [Realm], 127.0.0.1 and ips.
func WriteCerts(tb testing.TB, dir string, ips ...string) Certs {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "usherd test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	w := &certWriter{tb: tb, dir: dir, ca: ca, key: key}
	c := Certs{CA: w.write("ca.crt", "CERTIFICATE", der)}
	addrs := []net.IP{net.IPv4(127, 0, 0, 1)}
	for _, ip := range ips {
		addrs = append(addrs, net.ParseIP(ip))
	}
	c.Server, c.ServerKey = w.leaf("server", &x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost", "*." + Realm}, IPAddresses: addrs,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	c.Client, c.ClientKey = w.leaf("client", &x509.Certificate{
		Subject: pkix.Name{CommonName: "sync-reader"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	c.OtherHost, c.OtherHostK = w.leaf("other", &x509.Certificate{
		Subject: pkix.Name{CommonName: "other.example.test"}, DNSNames: []string{"other.example.test"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return c
}

type certWriter struct {
	tb     testing.TB
	dir    string
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

// leaf signs c with a key of its own.
func (w *certWriter) leaf(name string, c *x509.Certificate) (cert, keyFile string) {
	w.serial++
	c.SerialNumber = big.NewInt(w.serial + 1)
	c.NotBefore, c.NotAfter = w.ca.NotBefore, w.ca.NotAfter
	c.KeyUsage = x509.KeyUsageDigitalSignature
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.tb.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, w.ca, key.Public(), w.key)
	if err != nil {
		w.tb.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		w.tb.Fatal(err)
	}
	return w.write(name+".crt", "CERTIFICATE", der), w.write(name+".key", "EC PRIVATE KEY", private)
}

func (w *certWriter) write(name, kind string, der []byte) string {
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		w.tb.Fatal(err)
	}
	return path
}
