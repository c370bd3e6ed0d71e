package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEveryKeyHasAVariable(t *testing.T) {
	c := mustLoad(t, LoadOptions{Path: "testdata/good/full.yaml"})
	names := map[string]string{}
	for key := range leaves(c) {
		for _, name := range key.env {
			if other, twice := names[name]; twice {
				t.Errorf("$%s sets %s and %s", name, other, key.path)
			}
			names[name] = key.path
		}
	}
	for name, path := range map[string]string{
		"USHERD_LISTEN": "listen", "USHERD_OPS_LISTEN": "ops_listen", "USHERD_DATA": "data",
		"USHERD_STORE": "store.url", "USHERD_STORE_URL": "store.url", "USHERD_STORE_PASSWORD": "store.password",
		"USHERD_REDIS": "redis.url", "USHERD_REDIS_TIMEOUT": "redis.timeout", "USHERD_MAX_STALENESS": "max_staleness",
		"USHERD_HISTORY_KEEP": "history.keep", "USHERD_LOG_PII": "log.pii", "USHERD_INSECURE_HTTP": "insecure_http",
		"USHERD_SOURCES_CORP_AD_LDAP_BIND_PASSWORD":               "sources[1].ldap.bind_password",
		"USHERD_SOURCES_CORP_AD_LDAP_THRESHOLDS_DISABLED_PERCENT": "sources[1].ldap.thresholds.disabled_percent",
		"USHERD_SOURCES_CORP_AD_LDAP_ATTRIBUTES_MEMBER_UIDS":      "sources[1].ldap.attributes.memberUIDs",
		"USHERD_API_VERSION": "apiVersion",
	} {
		if names[name] != path {
			t.Errorf("$%s sets %q, want %q", name, names[name], path)
		}
	}
}

func TestVariables(t *testing.T) {
	secret := filepath.Join(write(t, map[string]string{"pw": "s3cret\n", "store": "postgres://db/usherd\n"}), "pw")
	store := filepath.Join(filepath.Dir(secret), "store")
	tests := []struct {
		name    string
		environ []string
		got     func(*Config) any
		want    any
	}{
		{"a short form sets the block's address", []string{"USHERD_REDIS=redis://r:1"}, func(c *Config) any { return c.Redis.URL }, "redis://r:1"},
		{"a number", []string{"USHERD_REDIS_POOL_SIZE=7"}, func(c *Config) any { return c.Redis.PoolSize }, 7},
		{"a switch", []string{"USHERD_LOG_PII=true"}, func(c *Config) any { return c.Log.PII }, true},
		{"a list", []string{"USHERD_TRUSTED_PROXIES=10.0.0.1, 10.0.0.0/24"}, func(c *Config) any { return c.Proxies[1].String() }, "10.0.0.0/24"},
		{"a list of DNs", []string{"USHERD_SOURCES_CORP_AD_LDAP_USER_BASE=OU=A,DC=x;OU=B,DC=x"}, func(c *Config) any { return c.Sources[1].LDAP.UserBase[1] }, "OU=B,DC=x"},
		{"an attribute", []string{"USHERD_SOURCES_CORP_AD_LDAP_ATTRIBUTES_USER_NAME=uid, mail"}, func(c *Config) any { return c.Sources[1].LDAP.Attributes.UserName[1] }, "mail"},
		{"a secret itself", []string{"USHERD_STORE_PASSWORD=pass:word"}, func(c *Config) any { return c.Store.Password.Reveal() }, "pass:word"},
		{"a secret's place", []string{"USHERD_STORE_PASSWORD=file:" + secret}, func(c *Config) any { return c.Store.Password.Reveal() }, "s3cret"},
		{"a secret's file", []string{"USHERD_STORE_PASSWORD_FILE=" + secret}, func(c *Config) any { return c.Store.Password.Reveal() }, "s3cret"},
		{"a value's file", []string{"USHERD_STORE_FILE=" + store}, func(c *Config) any { return c.Store.URL }, "postgres://db/usherd"},
		{"a file name's variable with _FILE is the same", []string{"USHERD_TLS_KEY_FILE=/k"}, func(c *Config) any { return c.TLS.Key }, "/k"},
		{"empty means not set", []string{"USHERD_LISTEN="}, func(c *Config) any { return c.Listen }, "[::1]:8443"},
		{"Kubernetes' service links are not ours", []string{"USHERD_SERVICE_HOST=10.0.0.1", "USHERD_PORT=tcp://10.0.0.1:80", "USHERD_PORT_80_TCP_ADDR=10.0.0.1", "USHERD_OPS_SERVICE_PORT_HTTP=9090"}, func(c *Config) any { return c.PProf }, true},
		{"the client's variables are not keys", []string{"USHERD_SERVER=https://x", "USHERD_TOKEN=t"}, func(c *Config) any { return c.PProf }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := mustLoad(t, LoadOptions{Path: "testdata/good/full.yaml", Environ: append(tt.environ, testEnviron...)})
			if got := tt.got(c); got != tt.want {
				t.Errorf("with %v: got %v, want %v", tt.environ, got, tt.want)
			}
		})
	}
}

func TestBadVariables(t *testing.T) {
	tests := []struct {
		name    string
		environ []string
		want    string
	}{
		{"no such key", []string{"USHERD_LISTENN=127.0.0.1:1"}, `$USHERD_LISTENN: no such key; did you mean "USHERD_LISTEN"?`},
		{"no such source", []string{"USHERD_SOURCES_NOBODY_LDAP_BASE=dc=x"}, "$USHERD_SOURCES_NOBODY_LDAP_BASE: no such key"},
		{"a bad value", []string{"USHERD_MAX_STALENESS=1h"}, "$USHERD_MAX_STALENESS: max_staleness: above the most allowed, 10m"},
		{"an empty secret", []string{"USHERD_STORE_PASSWORD="}, "$USHERD_STORE_PASSWORD: store.password: the secret is empty"},
		{"set twice", []string{"USHERD_REDIS=redis://a", "USHERD_REDIS_URL=redis://b"}, "$USHERD_REDIS: redis.url: set by $USHERD_REDIS_URL too"},
		{"a secret and its file", []string{"USHERD_STORE_PASSWORD=x", "USHERD_STORE_PASSWORD_FILE=/y"}, "$USHERD_STORE_PASSWORD_FILE: store.password: set by $USHERD_STORE_PASSWORD too"},
		{"a file that is missing", []string{"USHERD_LISTEN_FILE=/nonexistent"}, "$USHERD_LISTEN_FILE: listen: no such file or directory"},
		{"a fault of the whole", []string{"USHERD_LISTEN=0.0.0.0:80", "USHERD_TLS_CERT=", "USHERD_URL=x:y"}, "$USHERD_URL: url: not an address such as https://usherd.example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(LoadOptions{Path: "testdata/good/full.yaml", Environ: append(tt.environ, testEnviron...)})
			if err == nil || err.Error() != tt.want {
				t.Errorf("with %v:\n got %v\nwant %s", tt.environ, err, tt.want)
			}
		})
	}
}

func TestFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	c := mustLoad(t, LoadOptions{Flags: map[string]string{"store": "postgres://u@h/d", "redis.url": "redis://r", "insecure_http": "true", "listen": "0.0.0.0:1", "data": "elsewhere"}})
	if c.Store.URL != "postgres://u@h/d" || c.Redis.URL != "redis://r" || !c.Insecure || c.Data != "elsewhere" {
		t.Errorf("Load = %+v, want what the flags say", c)
	}
	tests := []struct{ name, key, value, want string }{
		{"a secret", "redis.password", "hunter2", "--redis-password: redis.password: a secret is not given as a flag: every user of the machine can read it"},
		{"no such key", "colour", "red", "--colour: no such key"},
		{"a bad value", "ops_listen", "here", `--ops-listen: ops_listen: "here" is not host:port`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(LoadOptions{Environ: testEnviron, Flags: map[string]string{tt.key: tt.value}})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("--%s %s:\n got %v\nwant %s", tt.key, tt.value, err, tt.want)
			}
		})
	}
}

func TestPasswordInAddress(t *testing.T) {
	t.Chdir(t.TempDir())
	const address = "postgres://usherd:hunter2@db/usherd?sslmode=disable"
	for name, o := range map[string]LoadOptions{
		"variable": {Environ: []string{"USHERD_STORE=" + address}},
		"flag":     {Flags: map[string]string{"store": address}},
	} {
		t.Run("a "+name+"'s becomes the secret", func(t *testing.T) {
			c := mustLoad(t, o)
			if c.Store.URL != "postgres://usherd@db/usherd?sslmode=disable" || c.Store.Password.Reveal() != "hunter2" {
				t.Errorf("store = %s, %q", c.Store.URL, c.Store.Password.Reveal())
			}
			text, err := c.Print(true)
			if err != nil || strings.Contains(string(text), "hunter2") {
				t.Errorf("Print shows the password (%v):\n%s", err, text)
			}
			if warned := len(c.Warnings()) > 0; warned != (name == "flag") {
				t.Errorf("Warnings() = %v", c.Warnings())
			}
		})
	}
	for name, environ := range map[string][]string{
		"two passwords":       {"USHERD_STORE=" + address, "USHERD_STORE_PASSWORD=hunter2"},
		"no URL at all":       {"USHERD_STORE=postgres://u:hunter2@[::1/x"},
		"an empty password":   {"USHERD_REDIS=redis://:@r"},
		"a keyword string":    {"USHERD_STORE=host=db password=hunter2"},
		"another's parameter": {"USHERD_REDIS=redis://r?password=hunter2"},
	} {
		t.Run(name+" is an error that does not repeat it", func(t *testing.T) {
			if _, err := Load(LoadOptions{Environ: environ}); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Load with %v = %v", environ, err)
			}
		})
	}
}

func TestSecretVariables(t *testing.T) {
	environ := append([]string{"USHERD_STORE_PASSWORD=x", "USHERD_LISTEN=127.0.0.1:1", "USHERD_STORE=postgres://u@h/d", "USHERD_TOKEN=t"}, testEnviron...)
	c := mustLoad(t, LoadOptions{Path: "testdata/good/full.yaml", Environ: environ})
	got := SecretVariables(environ, c)
	slices.Sort(got)
	if want := []string{"USHERD_STORE", "USHERD_STORE_PASSWORD", "USHERD_TOKEN"}; !slices.Equal(got, want) {
		t.Errorf("SecretVariables = %v, want %v", got, want)
	}
}

func TestTheProcessEnvironmentIsTheDefault(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, envPrefix) {
			t.Skipf("%s is set", name)
		}
	}
	t.Setenv("USHERD_URL", "https://env.example")
	c, err := Load(LoadOptions{})
	if err != nil || c.URL != "https://env.example" {
		t.Errorf("Load() = %v, %v, want the url of the process's variable", c, err)
	}
}
