package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/usherd/usherd/client"
)

func ExampleClient_Check() {
	// A daemon that allows everything; yours is at its own address.
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"decision":true}`)
	}))
	defer daemon.Close()

	c, err := client.New(client.Config{URL: daemon.URL, Token: "ush_chk_0123456789"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	may, err := c.Check(context.Background(), client.Request{
		Subject: client.User("kim@example.com"), Action: "access", Resource: client.Feature("part-list"),
	})
	if err != nil || !may {
		fmt.Println("refused", err)
		return
	}
	fmt.Println("come in")
	// Output:
	// come in
}
