package console

// accessPages are the pages about who may do what, and why.
func (c *Console) accessPages() {
	c.explainPages()
	c.mappingPages()
	c.integrationPages()
	c.rolePages()
	c.overviewPages()
	c.billingPages()
	c.cataloguePages()
}
