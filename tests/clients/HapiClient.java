import ca.uhn.fhir.context.*;
import ca.uhn.fhir.rest.api.*;
import ca.uhn.fhir.rest.client.api.*;
import ca.uhn.fhir.rest.client.interceptor.*;
import ca.uhn.fhir.rest.gclient.*;
import ca.uhn.fhir.rest.server.exceptions.*;
import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.r4.model.*;
import java.util.*;
import java.util.concurrent.Callable;

/** The generic client of HAPI FHIR against a running server: HapiClient BASE TOKEN. One line a step; exit code 1 where one fails. */
public class HapiClient {
  static int good = 0, bad = 0;
  interface Step { String run() throws Exception; }
  static void step(String name, Step s) {
    try { String r = s.run(); good++; System.out.println("OK    " + name + (r == null ? "" : " : " + r)); }
    catch (Throwable t) { bad++; String m = String.valueOf(t.getMessage()); System.out.println("FAIL  " + name + " : " + t.getClass().getSimpleName() + " " + m.substring(0, Math.min(300, m.length()))); }
  }
  static void check(boolean b, String why) { if (!b) throw new AssertionError(why); }
  static <T extends Throwable> T throwsA(Class<T> c, Callable<?> f) throws Exception {
    try { f.call(); } catch (Throwable t) { if (c.isInstance(t)) return c.cast(t); throw new AssertionError("wanted " + c.getSimpleName() + " got " + t); }
    throw new AssertionError("wanted " + c.getSimpleName() + ", nothing thrown");
  }
  static Patient person(String v) {
    Patient p = new Patient();
    p.addIdentifier().setSystem("urn:oid:2.16.156.10011.1.2").setValue(v);
    p.addName().setText("王建国").setFamily("王").addGiven("建国");
    p.setGender(Enumerations.AdministrativeGender.MALE);
    p.setBirthDateElement(new DateType("1932-04-05"));
    return p;
  }
  static Observation obs(String pat, String day, double v) {
    Observation o = new Observation();
    o.setStatus(Observation.ObservationStatus.FINAL);
    o.getCode().addCoding().setSystem("http://loinc.org").setCode("8480-6");
    o.setSubject(new Reference(pat));
    o.setEffective(new DateTimeType(day));
    o.setValue(new Quantity().setValue(v).setUnit("mmHg").setSystem("http://unitsofmeasure.org").setCode("mm[Hg]"));
    return o;
  }
  static IIdType pid;
  public static void main(String[] a) throws Exception {
    FhirContext ctx = FhirContext.forR4();
    ctx.getRestfulClientFactory().setSocketTimeout(60000);
    IGenericClient c = ctx.newRestfulGenericClient(a[0]);
    c.registerInterceptor(new BearerTokenAuthInterceptor(a[1]));
    String n = "B" + (System.nanoTime() % 100000000L);
    step("capabilities (and HAPI's own server check)", () -> { CapabilityStatement cs = c.capabilities().ofType(CapabilityStatement.class).execute(); check(cs.getFhirVersion().toCode().startsWith("4.0"), "version"); return cs.getFhirVersion().toCode() + " " + cs.getRestFirstRep().getResource().size() + " types"; });
    step("create", () -> { MethodOutcome o = c.create().resource(person(n)).execute(); pid = o.getId(); check(o.getCreated(), "created"); check(o.getResource() != null, "resource"); return pid.getValue(); });
    step("create, Prefer minimal", () -> { MethodOutcome o = c.create().resource(person(n+"1")).prefer(PreferReturnEnum.MINIMAL).execute(); check(o.getCreated(), "created"); check(o.getId().hasVersionIdPart(), "version"); return null; });
    step("create, Prefer OperationOutcome", () -> { MethodOutcome o = c.create().resource(person(n+"2")).prefer(PreferReturnEnum.OPERATION_OUTCOME).execute(); check(o.getOperationOutcome() != null, "oo"); return null; });
    step("create in XML is refused with 406", () -> throwsA(UnclassifiedServerFailureException.class, () -> c.create().resource(person(n+"x")).encodedXml().execute()).getStatusCode() + "");
    step("create pretty", () -> c.create().resource(person(n+"3")).prettyPrint().encodedJson().execute().getId().getIdPart());
    step("conditional create: none there", () -> { MethodOutcome o = c.create().resource(person(n+"4")).conditional().where(Patient.IDENTIFIER.exactly().systemAndIdentifier("urn:oid:2.16.156.10011.1.2", n+"4")).execute(); check(Boolean.TRUE.equals(o.getCreated()), "created"); return null; });
    step("conditional create: one there", () -> { MethodOutcome o = c.create().resource(person(n)).conditional().where(Patient.IDENTIFIER.exactly().systemAndIdentifier("urn:oid:2.16.156.10011.1.2", n)).execute(); check(!Boolean.TRUE.equals(o.getCreated()), "created again"); check(o.getId().getIdPart().equals(pid.getIdPart()), "id"); return null; });
    step("read", () -> { Patient p = c.read().resource(Patient.class).withId(pid.getIdPart()).execute(); check(p.getNameFirstRep().getText().equals("王建国"), "name"); return p.getMeta().getVersionId(); });
    step("read by url", () -> c.read().resource(Patient.class).withUrl(pid.toUnqualifiedVersionless().withServerBase(a[0], "Patient")).execute().getIdElement().getValue());
    step("vread", () -> c.read().resource(Patient.class).withIdAndVersion(pid.getIdPart(), "1").execute().getIdElement().getVersionIdPart());
    step("read ifVersionMatches", () -> { Patient p = c.read().resource(Patient.class).withId(pid.getIdPart()).ifVersionMatches("1").returnNull().execute(); check(p == null, "304 wanted"); return null; });
    step("read, elements", () -> { Patient p = c.read().resource(Patient.class).withId(pid.getIdPart()).elementsSubset("name").execute(); check(!p.hasBirthDate(), "birthdate"); check(p.hasName(), "name"); check(p.getMeta().getTag().stream().anyMatch(t -> t.getCode().equals("SUBSETTED")), "SUBSETTED"); return null; });
    step("read, summary", () -> { Patient p = c.read().resource(Patient.class).withId(pid.getIdPart()).summaryMode(SummaryEnum.TRUE).execute(); return "" + p.hasName(); });
    step("read what is not there", () -> throwsA(ResourceNotFoundException.class, () -> c.read().resource(Patient.class).withId("nope").execute()).getMessage());
    step("update", () -> { Patient p = c.read().resource(Patient.class).withId(pid.getIdPart()).execute(); p.addTelecom().setSystem(ContactPoint.ContactPointSystem.PHONE).setValue("0574-00000000"); MethodOutcome o = c.update().resource(p).execute(); check(o.getId().getVersionIdPart().equals("2"), "v2 " + o.getId()); return null; });
    step("update withAdditionalHeader If-Match stale", () -> { Patient p = c.read().resource(Patient.class).withIdAndVersion(pid.getIdPart(), "1").execute(); p.setActive(true); return throwsA(PreconditionFailedException.class, () -> c.update().resource(p).withAdditionalHeader("If-Match", "W/\"1\"").execute()).getMessage(); });
    step("conditional update", () -> { Patient p = person(n); p.setActive(true); MethodOutcome o = c.update().resource(p).conditional().where(Patient.IDENTIFIER.exactly().systemAndIdentifier("urn:oid:2.16.156.10011.1.2", n)).execute(); check(o.getId().getIdPart().equals(pid.getIdPart()), "id"); return o.getId().getValue(); });
    step("update creates under client's id", () -> { Patient p = person(n+"5"); p.setId("hapi-" + n); MethodOutcome o = c.update().resource(p).execute(); check(Boolean.TRUE.equals(o.getCreated()), "created"); return null; });
    step("patch JSON", () -> c.patch().withBody("[{\"op\":\"replace\",\"path\":\"/active\",\"value\":false}]").withId(pid.toUnqualifiedVersionless()).execute().getId().getValue());
    step("patch JSON, test fails", () -> throwsA(BaseServerResponseException.class, () -> c.patch().withBody("[{\"op\":\"test\",\"path\":\"/active\",\"value\":true}]").withId(pid.toUnqualifiedVersionless()).execute()).getStatusCode() + "");
    step("patch FHIRPath", () -> { Parameters p = new Parameters(); Parameters.ParametersParameterComponent op = p.addParameter().setName("operation"); op.addPart().setName("type").setValue(new CodeType("replace")); op.addPart().setName("path").setValue(new StringType("Patient.active")); op.addPart().setName("value").setValue(new BooleanType(true)); return c.patch().withFhirPatch(p).withId(pid.toUnqualifiedVersionless()).execute().getId().getValue(); });
    step("patch conditional", () -> c.patch().withBody("[{\"op\":\"replace\",\"path\":\"/active\",\"value\":false}]").conditional("Patient").where(Patient.IDENTIFIER.exactly().systemAndIdentifier("urn:oid:2.16.156.10011.1.2", n)).execute().getId().getValue());
    for (int i = 0; i < 25; i++) c.create().resource(obs("Patient/" + pid.getIdPart(), String.format("2026-%02d-%02dT08:00:00+08:00", 1 + i % 12, 1 + i), 120 + i)).execute();
    step("search by identifier", () -> { Bundle b = c.search().forResource(Patient.class).where(Patient.IDENTIFIER.exactly().systemAndIdentifier("urn:oid:2.16.156.10011.1.2", n)).returnBundle(Bundle.class).execute(); check(b.getEntry().size() == 1, "" + b.getEntry().size()); return null; });
    step("search by POST", () -> { Bundle b = c.search().forResource(Patient.class).where(Patient.IDENTIFIER.exactly().systemAndIdentifier("urn:oid:2.16.156.10011.1.2", n)).usingStyle(SearchStyleEnum.POST).returnBundle(Bundle.class).execute(); check(b.getEntry().size() == 1, "" + b.getEntry().size()); return null; });
    step("search, GET with _search", () -> { Bundle b = c.search().forResource(Patient.class).where(Patient.FAMILY.matches().value("王")).usingStyle(SearchStyleEnum.GET_WITH_SEARCH).returnBundle(Bundle.class).execute(); check(b.getEntry().size() >= 1, "" + b.getEntry().size()); return null; });
    step("search in XML is refused with 406", () -> throwsA(UnclassifiedServerFailureException.class, () -> c.search().forResource(Patient.class).encodedXml().returnBundle(Bundle.class).execute()).getStatusCode() + "");
    step("search + paging to the end", () -> { Bundle b = c.search().forResource(Observation.class).where(Observation.PATIENT.hasId(pid.getIdPart())).sort().descending(Observation.DATE).count(7).returnBundle(Bundle.class).execute(); Set<String> seen = new HashSet<>(); int pages = 1; for (;;) { b.getEntry().forEach(e -> seen.add(e.getResource().getIdElement().getIdPart())); if (b.getLink("next") == null) break; b = c.loadPage().next(b).execute(); pages++; } check(seen.size() == 25, "" + seen.size()); return pages + " pages, total " + b.getTotal(); });
    step("search: previous page link", () -> { Bundle b = c.search().forResource(Observation.class).where(Observation.PATIENT.hasId(pid.getIdPart())).count(7).returnBundle(Bundle.class).execute(); b = c.loadPage().next(b).execute(); return b.getLink("previous") == null ? "none offered" : "" + c.loadPage().previous(b).execute().getEntry().size(); });
    step("search dates, quantity, and", () -> { Bundle b = c.search().forResource(Observation.class).where(Observation.PATIENT.hasId(pid.getIdPart())).and(Observation.DATE.after().day("2026-06-01")).and(Observation.VALUE_QUANTITY.greaterThan().number(130).andUnits("http://unitsofmeasure.org", "mm[Hg]")).returnBundle(Bundle.class).execute(); return "" + b.getEntry().size(); });
    step("search composite", () -> { Bundle b = c.search().forResource(Observation.class).where(Observation.CODE_VALUE_QUANTITY.withLeft(Observation.CODE.exactly().systemAndCode("http://loinc.org", "8480-6")).withRight(Observation.VALUE_QUANTITY.greaterThan().number(140).andNoUnits())).returnBundle(Bundle.class).execute(); return "" + b.getEntry().size(); });
    step("search chained + include", () -> { Bundle b = c.search().forResource(Observation.class).where(Observation.PATIENT.hasChainedProperty("Patient", Patient.IDENTIFIER.exactly().code(n))).include(Observation.INCLUDE_PATIENT).count(50).returnBundle(Bundle.class).execute(); check(b.getEntry().stream().filter(e -> e.getSearch().getMode() == Bundle.SearchEntryMode.INCLUDE).count() == 1, "include"); return "" + b.getEntry().size(); });
    step("search revinclude", () -> { Bundle b = c.search().forResource(Patient.class).where(Patient.RES_ID.exactly().code(pid.getIdPart())).revInclude(Observation.INCLUDE_SUBJECT).returnBundle(Bundle.class).execute(); check(b.getEntry().size() == 26, "" + b.getEntry().size()); return null; });
    step("search _has", () -> { Bundle b = c.search().forResource(Patient.class).where(Patient.RES_ID.exactly().code(pid.getIdPart())).where(Patient.IDENTIFIER.hasSystemWithAnyCode("urn:oid:2.16.156.10011.1.2")).withTag("urn:x", "y").returnBundle(Bundle.class).execute(); check(b.getEntry().isEmpty(), "tag"); b = c.search().byUrl("Patient?_has:Observation:patient:code=8480-6&_id=" + pid.getIdPart()).returnBundle(Bundle.class).execute(); check(b.getEntry().size() == 1, "has"); return null; });
    step("search total accurate", () -> { Bundle b = c.search().forResource(Observation.class).where(Observation.PATIENT.hasId(pid.getIdPart())).totalMode(SearchTotalModeEnum.ACCURATE).count(3).returnBundle(Bundle.class).execute(); check(b.getTotal() == 25, "" + b.getTotal()); return null; });
    step("search summary count", () -> { Bundle b = c.search().forResource(Observation.class).where(Observation.PATIENT.hasId(pid.getIdPart())).summaryMode(SummaryEnum.COUNT).returnBundle(Bundle.class).execute(); check(b.getTotal() == 25, "" + b.getTotal()); return null; });
    step("search elements", () -> { Bundle b = c.search().forResource(Observation.class).where(Observation.PATIENT.hasId(pid.getIdPart())).elementsSubset("status").count(3).returnBundle(Bundle.class).execute(); check(!((Observation) b.getEntryFirstRep().getResource()).hasValue(), "value"); return null; });
    step("search lastUpdated", () -> { Bundle b = c.search().forResource(Observation.class).lastUpdated(new ca.uhn.fhir.rest.param.DateRangeParam("2020-01-01", null)).count(3).returnBundle(Bundle.class).execute(); check(b.getEntry().size() == 3, "n"); return null; });
    step("search missing", () -> { Bundle b = c.search().forResource(Observation.class).where(Observation.VALUE_QUANTITY.isMissing(true)).returnBundle(Bundle.class).execute(); return "" + b.getEntry().size(); });
    step("search :contains / :exact", () -> { Bundle b = c.search().forResource(Patient.class).where(Patient.NAME.contains().value("建国")).returnBundle(Bundle.class).execute(); check(b.getEntry().size() >= 1, "contains"); b = c.search().forResource(Patient.class).where(Patient.NAME.matchesExactly().value("王建国")).returnBundle(Bundle.class).execute(); check(b.getEntry().size() >= 1, "exact"); return null; });
    step("search all types", () -> { Bundle b = c.search().byUrl(a[0] + "?_type=Patient,Observation&_count=3").returnBundle(Bundle.class).execute(); check(b.getEntry().size() == 3, "" + b.getEntry().size()); return null; });
    step("search unknown parameter", () -> { Bundle b = c.search().byUrl("Patient?nonsense=1").returnBundle(Bundle.class).execute(); return b.getEntry().stream().map(e -> e.getResource().fhirType() + "/" + e.getSearch().getMode()).reduce("", (x, y) -> x + " " + y).substring(0, 40); });
    step("search unknown parameter, strict", () -> throwsA(InvalidRequestException.class, () -> c.search().byUrl("Patient?nonsense=1").withAdditionalHeader("Prefer", "handling=strict").returnBundle(Bundle.class).execute()).getMessage());
    step("no cache", () -> { c.search().forResource(Patient.class).cacheControl(new CacheControlDirective().setNoCache(true)).count(1).returnBundle(Bundle.class).execute(); return null; });
    step("history instance", () -> { Bundle b = c.history().onInstance(pid.toUnqualifiedVersionless()).andReturnBundle(Bundle.class).execute(); return "" + b.getEntry().size() + " " + b.getTypeElement().getValueAsString(); });
    step("history type, count, since", () -> { Bundle b = c.history().onType(Patient.class).andReturnBundle(Bundle.class).since(new Date(System.currentTimeMillis() - 600000)).count(3).execute(); check(b.getEntry().size() == 3, "" + b.getEntry().size()); b = c.loadPage().next(b).execute(); return "" + b.getEntry().size(); });
    step("history server", () -> { Bundle b = c.history().onServer().andReturnBundle(Bundle.class).count(5).execute(); check(b.getEntry().size() == 5, "n"); return null; });
    step("transaction", () -> { Bundle t = new Bundle(); t.setType(Bundle.BundleType.TRANSACTION); String u = "urn:uuid:" + UUID.randomUUID(); t.addEntry().setFullUrl(u).setResource(person(n+"6")).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Patient").setIfNoneExist("identifier=urn:oid:2.16.156.10011.1.2|" + n + "6"); t.addEntry().setResource(obs(u, "2026-01-01", 5)).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Observation"); t.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Patient?identifier=" + n + "6"); Bundle r = c.transaction().withBundle(t).execute(); check(r.getTypeElement().getValueAsString().equals("transaction-response"), "type"); check(r.getEntry().size() == 3, "3"); return r.getEntry().get(1).getResponse().getStatus() + " " + r.getEntry().get(2).getResource().fhirType(); });
    step("conditional delete of many, with _count", () -> { c.delete().resourceConditionalByUrl("Observation?patient=" + pid.getIdPart() + "&_count=100").execute(); return null; });
    step("search :in", () -> { Bundle b = c.search().byUrl("Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender&_count=2").returnBundle(Bundle.class).execute(); return "" + b.getEntry().size(); });
    step("transaction fails whole", () -> { Bundle t = new Bundle(); t.setType(Bundle.BundleType.TRANSACTION); t.addEntry().setResource(person(n+"9")).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Patient"); t.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Patient/does-not-exist"); BaseServerResponseException e = throwsA(BaseServerResponseException.class, () -> c.transaction().withBundle(t).execute()); Bundle b = c.search().forResource(Patient.class).where(Patient.IDENTIFIER.exactly().code(n+"9")).returnBundle(Bundle.class).execute(); check(b.getEntry().isEmpty(), "half done"); return "" + e.getStatusCode(); });
    step("batch", () -> { Bundle t = new Bundle(); t.setType(Bundle.BundleType.BATCH); t.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Patient/does-not-exist"); t.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Patient/" + pid.getIdPart()); Bundle r = c.transaction().withBundle(t).execute(); return r.getEntry().get(0).getResponse().getStatus() + " / " + r.getEntry().get(1).getResponse().getStatus(); });
    step("$everything", () -> { Bundle b = c.operation().onInstance(pid.toUnqualifiedVersionless()).named("$everything").withNoParameters(Parameters.class).useHttpGet().returnResourceType(Bundle.class).execute(); return "" + b.getEntry().size(); });
    step("$everything by POST", () -> { Bundle b = c.operation().onInstance(pid.toUnqualifiedVersionless()).named("$everything").withParameter(Parameters.class, "_count", new IntegerType(5)).returnResourceType(Bundle.class).execute(); return "" + b.getEntry().size(); });
    step("$validate good", () -> { MethodOutcome o = c.validate().resource(person("z")).execute(); return ((OperationOutcome) o.getOperationOutcome()).getIssueFirstRep().getSeverity().toCode(); });
    step("$validate bad", () -> { Observation o = new Observation(); o.addCategory(); MethodOutcome m; try { m = c.validate().resource(o).execute(); } catch (BaseServerResponseException e) { return "status " + e.getStatusCode(); } return ((OperationOutcome) m.getOperationOutcome()).getIssue().size() + " issues"; });
    step("meta get", () -> c.meta().get(Meta.class).fromResource(pid.toUnqualifiedVersionless()).execute().getVersionId());
    step("meta add", () -> { Meta m = new Meta(); m.addTag().setSystem("urn:x").setCode("y"); return "" + c.meta().add().onResource(pid.toUnqualifiedVersionless()).meta(m).execute().getTag().size(); });
    step("meta delete", () -> { Meta m = new Meta(); m.addTag().setSystem("urn:x").setCode("y"); return "" + c.meta().delete().onResource(pid.toUnqualifiedVersionless()).meta(m).execute().getTag().size(); });
    step("create invalid", () -> { Observation o = new Observation(); return throwsA(UnprocessableEntityException.class, () -> c.create().resource(o).execute()).getMessage(); });
    step("delete", () -> { MethodOutcome o = c.delete().resourceById("Patient", "hapi-" + n).execute(); return String.valueOf(o.getOperationOutcome() != null); });
    step("read of deleted is 410", () -> throwsA(ResourceGoneException.class, () -> c.read().resource(Patient.class).withId("hapi-" + n).execute()).getMessage());
    step("delete again", () -> { c.delete().resourceById("Patient", "hapi-" + n).execute(); return null; });
    step("delete conditional", () -> { c.delete().resourceConditionalByType("Patient").where(Patient.IDENTIFIER.exactly().systemAndIdentifier("urn:oid:2.16.156.10011.1.2", n+"4")).execute(); return null; });
    step("conditional delete of many is refused", () -> throwsA(PreconditionFailedException.class, () -> c.delete().resourceConditionalByUrl("Patient?family=王").execute()).getMessage());
    step("ValueSet/$expand", () -> c.operation().onType(ValueSet.class).named("$expand").withParameter(Parameters.class, "url", new UriType("http://hl7.org/fhir/ValueSet/administrative-gender")).useHttpGet().returnResourceType(ValueSet.class).execute().getExpansion().getContains().size() + " codes");
    step("CodeSystem/$lookup", () -> c.operation().onType(CodeSystem.class).named("$lookup").withParameter(Parameters.class, "system", new UriType("https://healthsvc.example/fhir/CodeSystem/cadre-category")).andParameter("code", new CodeType("lixiu")).execute().getParameter().size() + " parameters");
    step("binary", () -> { Binary b = new Binary(); b.setContentType("text/plain"); b.setData("你好".getBytes("UTF-8")); MethodOutcome o = c.create().resource(b).execute(); Binary r = c.read().resource(Binary.class).withId(o.getId().getIdPart()).execute(); check(new String(r.getData(), "UTF-8").equals("你好"), "bytes"); return null; });
    step("gzip request body", () -> { IGenericClient z = ctx.newRestfulGenericClient(a[0]); z.registerInterceptor(new BearerTokenAuthInterceptor(a[1])); z.registerInterceptor(new ca.uhn.fhir.rest.client.apache.GZipContentInterceptor()); return z.create().resource(person(n+"g")).execute().getId().getIdPart(); });
    System.out.println(good + " ok, " + bad + " failed");
    System.exit(bad == 0 ? 0 : 1);
  }
}
