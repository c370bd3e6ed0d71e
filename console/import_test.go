package console_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/usherd/usherd/directory"
)

func TestUsersAreImportedFromAFile(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.apply(directory.PutGrant{Grant: directory.Grant{
		Group: w.crew, Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}, Origin: directory.ByHand,
	}})
	b := w.browse()
	w.enter(b, w.owner)
	path := filepath.Join(t.TempDir(), "people.csv")
	must(t, os.WriteFile(path, []byte("userName,name,groups\nida@example.com,Ida,local/Site crew\neve@example.com,Again,\nian@example.com,\"<b>Ian</b>\",\n"), 0o600))

	b.open("/users")
	b.press("Import")
	b.sees("Its first line names columns")
	b.look("import")
	b.fill("#text", "phone\n1\n")
	b.press("Preview")
	b.sees("unknown column")
	b.until(`document.querySelector("#text").value.startsWith("phone")`, "what was typed")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{path}))
	b.press("Preview")
	b.sees("Import 2 users")
	b.sees("This raises the bill: +1 seat of part-list; +4.00 EUR a month.")
	b.sees("line 3: eve@example.com")
	b.until(`!document.body.innerText.includes("Nobody gains")`, "that somebody gains")
	b.look("import-preview")
	b.click("form.panel button.primary")
	b.sees("2 of 3 users added, 1 failed")
	b.sees("line 3: eve@example.com")
	b.look("import-job")
	b.press("Take back what it did…")
	b.sees("Take back")
	b.look("import-revert")
	b.click("form.panel button.primary")
	b.sees("changes taken back")
	b.open("/users?q=ian")
	b.sees("No users match.")
}
