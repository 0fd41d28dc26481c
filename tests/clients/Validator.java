import ca.uhn.fhir.context.*;
import ca.uhn.fhir.context.support.*;
import ca.uhn.fhir.parser.*;
import ca.uhn.fhir.validation.*;
import org.hl7.fhir.common.hapi.validation.support.*;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.*;
import java.nio.file.*;
import java.util.*;

/**
 * HL7's validator, as HAPI FHIR carries it, over files of one resource a line: Validator DEFINITIONS RESOURCES KNOWN.
 * The profiles, value sets and code systems of DEFINITIONS are known while RESOURCES are validated, each against its type and the profiles
 * that it claims. KNOWN has a line for each finding that is not ours to mend: a part of its text, a tab, and why. One line a kind of
 * finding; exit code 1 where an error is not known, or a known one is not found any more.
 */
public class Validator {
  public static void main(String[] a) throws Exception {
    FhirContext ctx = FhirContext.forR4();
    IParser parser = ctx.newJsonParser();
    PrePopulatedValidationSupport ours = new PrePopulatedValidationSupport(ctx);
    for (String line : Files.readAllLines(Path.of(a[0]))) {
      IBaseResource one = parser.parseResource(line);
      if (one instanceof StructureDefinition || one instanceof ValueSet || one instanceof CodeSystem) ours.addResource(one);
    }
    Map<String, Integer> known = new LinkedHashMap<>();
    for (String line : Files.readAllLines(Path.of(a[2]))) if (line.contains("\t")) known.put(line.substring(0, line.indexOf('\t')), 0);
    ValidationSupportChain chain = new ValidationSupportChain(
        ours, new DefaultProfileValidationSupport(ctx), new CommonCodeSystemsTerminologyService(ctx),
        new InMemoryTerminologyServerValidationSupport(ctx), new SnapshotGeneratingValidationSupport(ctx));
    FhirInstanceValidator instance = new FhirInstanceValidator(chain);
    instance.setErrorForUnknownProfiles(true);
    FhirValidator validator = ctx.newValidator().registerValidatorModule(instance);
    Map<String, Integer> kinds = new TreeMap<>();
    Map<String, String> examples = new HashMap<>();
    int many = 0, wrong = 0;
    for (String line : Files.readAllLines(Path.of(a[1]))) {
      boolean bad = false;
      many++;
      for (SingleValidationMessage one : validator.validateWithResult(line).getMessages()) {
        if (one.getSeverity().ordinal() < ResultSeverityEnum.ERROR.ordinal()) continue;
        String said = one.getLocationString() + " : " + one.getMessage();
        Optional<String> expected = known.keySet().stream().filter(said::contains).findFirst();
        if (expected.isPresent()) { known.merge(expected.get(), 1, Integer::sum); continue; }
        bad = true;
        String kind = said.replaceAll("\\[[0-9]+\\]", "[]").replaceAll("/\\*[^*]*\\*/", "").replaceAll("[0-9a-f]{8}-[0-9a-f-]{27}", "ID");
        kinds.merge(kind.substring(0, Math.min(300, kind.length())), 1, Integer::sum);
        examples.putIfAbsent(kind.substring(0, Math.min(300, kind.length())), line.substring(0, Math.min(80, line.length())));
      }
      if (bad) wrong++;
    }
    kinds.forEach((kind, count) -> System.out.println("FAIL  " + count + " x " + kind + "   e.g. " + examples.get(kind)));
    known.forEach((text, count) -> System.out.println((count > 0 ? "known " + count + " x " : "GONE  ") + text));
    System.out.println((many - wrong) + " of " + many + " resources are valid to HL7's validator");
    System.exit(wrong > 0 || known.containsValue(0) ? 1 : 0);
  }
}
