package admin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestUsersOfAFileAreReadWithTheirLines(t *testing.T) {
	lines, err := admin.ReadUsers("people.csv", "\ufeffName,USERNAME,groups,type\nAnn,ann@example.com,local/A; local/B,Service\n\n\"Bo\nX\",'=bo@example.com,,\nCy,cy@example.com,,standard\n")
	if err != nil || len(lines) != 3 {
		t.Fatalf("ReadUsers = %d lines, %v", len(lines), err)
	}
	if l := lines[0]; l.Line != 2 || l.Name != "Ann" || l.Type != directory.Service || !slices.Equal(l.Groups, []string{"local/A", "local/B"}) {
		t.Errorf("the first is %+v", l)
	}
	if l := lines[1]; l.Line != 4 || l.UserName != "=bo@example.com" {
		t.Errorf("what an export wrote with an apostrophe is %+v", l)
	}
	if l := lines[2]; l.Line != 6 {
		t.Errorf("the third begins at line %d; want 6", l.Line)
	}
	for name, text := range map[string]string{
		"an empty file": "", "an unknown column": "userName,phone\na,b\n", "a short line": "userName,name\na\n", "an open quote": "userName\n\"a\n",
		"too many": "userName\n" + strings.Repeat("a\n", 10_001),
	} {
		if _, err := admin.ReadUsers("people.csv", text); err == nil || !strings.Contains(err.Error(), "people.csv") {
			t.Errorf("%s: %v; want an error that names the file", name, err)
		}
	}
	if lines, err := admin.ReadUsers("template.csv", admin.UserTemplate()); err != nil || len(lines) != 1 || lines[0].Groups[0] != "local/Planners" {
		t.Errorf("the template reads as %+v, %v", lines, err)
	}
}

func FuzzReadUsers(f *testing.F) {
	f.Add(admin.UserTemplate())
	f.Add("userName\n\"a\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := admin.ReadUsers("f.csv", text)
		if err != nil && lines != nil {
			t.Fatalf("%d lines and %v", len(lines), err)
		}
		for i, l := range lines {
			if l.Line < 2 || i > 0 && l.Line <= lines[i-1].Line {
				t.Fatalf("line %d after another", l.Line)
			}
		}
	})
}

func TestAFileOfUsersIsPreviewedAndImportedAsAJob(t *testing.T) {
	w := newWorld(t)
	w.runJobs()
	lines, err := admin.ReadUsers("people.csv", "userName,email,groups\nnew-ann,,\nNEW-ANN,,\nnew-bob,no address,\nnew-cy,,nowhere\nnew-dan,dan@new.example,\n")
	if err != nil {
		t.Fatal(err)
	}
	w.start(admin.Bulk{Do: "block", Users: w.people(1)}) // the runner is up
	ctx := t.Context()
	preview, err := w.PreviewImport(ctx, by, lines)
	if err != nil || preview.Failed != 3 || len(preview.Items) != 5 {
		t.Fatalf("PreviewImport = %+v, %v; want three of five refused", preview.Items, err)
	}
	if got := preview.Items[1]; got.Name != "line 3: NEW-ANN" || !strings.Contains(got.Error, "that of line 2") {
		t.Errorf("a name that is there twice: %+v", got)
	}
	if _, err := w.User(ctx, "new-ann"); err == nil {
		t.Fatal("a preview made somebody")
	}
	var jobs []string
	for run, failed := range []int{3, 5} { // again, all names are taken
		job, err := w.StartImport(ctx, by, lines)
		if err != nil {
			t.Fatal(err)
		}
		job = w.until(job.ID, over)
		jobs = append(jobs, job.ID)
		if job.Failed != failed || job.Done != 5-failed {
			t.Errorf("import %d: %+v; want %d refused", run, job, failed)
		}
	}
	for _, name := range []string{"new-ann", "new-dan"} {
		if u, err := w.User(ctx, name); err != nil || u.Status != "active" {
			t.Errorf("User(%s) = %+v, %v", name, u, err)
		}
	}
	job, err := w.StartRevert(ctx, by, jobs[0])
	if err != nil {
		t.Fatal(err)
	}
	if job = w.until(job.ID, over); job.Done != 2 || job.Failed != 0 {
		t.Errorf("the revert is %+v", job)
	}
	if _, err := w.User(ctx, "new-ann"); err == nil {
		t.Error("who was imported is there after the import was taken back")
	}
}
